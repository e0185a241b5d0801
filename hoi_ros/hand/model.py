"""The hand: MANO's arrays, posed with NumPy, or as the torch module of ``smplx``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import rotations
from hoi_ros.hand.closing import close
from hoi_ros.hand.kinematics import PARENTS, Kinematics, Posed
from hoi_ros.hand.mano_file import EMBEDDED, read_hand_file
from hoi_ros.hand.mirror import mirror_axis_angle, mirror_points
from hoi_ros.types import Array, Side

if TYPE_CHECKING:
    import smplx

TIP_VERTICES = np.array([744, 320, 443, 554, 671])
"""Fingertip vertices of ``smplx``: thumb, index, middle, ring, little."""


@dataclass(frozen=True)
class HandMesh:
    """A posed batch of hands, m."""

    vertices: Array  # (B, 778, 3)
    joints: Array  # (B, 16, 3), MANO order
    keypoints: Array  # (B, 21, 3), K21


class HandModel:
    """A right hand in MANO's schema; ``side="left"`` poses its mirror image with the parameters of the left model.

    Parameters are MANO's with a flat zero pose: ``global_orient`` (B, 3) and ``hand_pose`` (B, 45) axis-angle, rad,
    ``betas`` (B, 10), ``transl`` (B, 3) m. Leading axes broadcast, and a single hand may come without one.
    """

    def __init__(self, name: str, arrays: dict[str, Array]) -> None:
        self.name = name
        self.v_template = arrays["v_template"]
        self.faces: NDArray[np.int32] = arrays["f"].astype(np.int32)
        self.shapedirs = arrays["shapedirs"]
        self.posedirs = arrays["posedirs"]
        self.J_regressor = arrays["J_regressor"]
        self.weights = arrays["weights"]
        self.hands_components = arrays["hands_components"]
        self.hands_mean = arrays["hands_mean"]
        self.parents = PARENTS
        self.tip_vertices = TIP_VERTICES
        self.kinematics = Kinematics(
            self.v_template, self.shapedirs, self.posedirs, self.J_regressor, self.weights, TIP_VERTICES
        )

    def vertex_kinematics(self, rows: NDArray[np.int64]) -> Kinematics:
        """Kinematics whose points are the vertices ``rows`` (T,) instead of keypoints."""
        arrays = (self.v_template, self.shapedirs, self.posedirs, self.J_regressor, self.weights)
        return Kinematics(*arrays, rows, 16 + np.arange(len(rows)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the arrays, hexadecimal."""
        digest = hashlib.sha256()
        for name, array in sorted(self._arrays("right").items()):
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        return digest.hexdigest()

    @cached_property
    def closed_faces(self) -> NDArray[np.int32]:
        """Faces (F, 3) of a watertight surface on the same vertices: the wrist is closed where MANO leaves it open."""
        return close(self.faces)

    def joints(
        self,
        global_orient: Array,
        hand_pose: Array,
        betas: Array | None = None,
        transl: Array | None = None,
        side: Side = "right",
    ) -> Array:
        """Keypoints K21 (B, 21, 3) m, without posing the mesh."""
        posed, _ = self._posed(global_orient, hand_pose, betas, transl, side)
        return posed.keypoints if side == "right" else mirror_points(posed.keypoints)

    def mesh(
        self,
        global_orient: Array,
        hand_pose: Array,
        betas: Array | None = None,
        transl: Array | None = None,
        side: Side = "right",
    ) -> HandMesh:
        """The posed mesh with its joints and keypoints."""
        posed, shape = self._posed(global_orient, hand_pose, betas, transl, side)
        count = len(shape)
        vertices = self.v_template + (shape @ self.shapedirs.reshape(-1, 10).T).reshape(count, -1, 3)
        features = (posed.local[:, 1:] - np.eye(3)).reshape(count, 135)
        vertices = vertices + (features @ self.posedirs.reshape(-1, 135).T).reshape(count, -1, 3)
        rest = self.kinematics.rest_joints(shape)
        shifts = posed.joints - (posed.rotations @ rest[..., None])[..., 0]
        blended = (self.weights @ posed.rotations.reshape(count, 16, 9)).reshape(count, -1, 3, 3)
        vertices = (blended @ vertices[..., None])[..., 0] + self.weights @ shifts
        mesh = HandMesh(vertices, posed.joints, posed.keypoints)
        if side == "right":
            return mesh
        return HandMesh(*(mirror_points(points) for points in (mesh.vertices, mesh.joints, mesh.keypoints)))

    def smplx(self, batch_size: int = 1, side: Side = "right") -> smplx.MANO:
        """The same hand as a torch module: float32, no PCA, flat mean."""
        import smplx
        from smplx.utils import Struct

        data = Struct(**self._arrays(side))
        return smplx.MANO(
            "", data_struct=data, is_rhand=side == "right", use_pca=False, flat_hand_mean=True, batch_size=batch_size
        )

    def _posed(
        self, global_orient: Array, hand_pose: Array, betas: Array | None, transl: Array | None, side: Side
    ) -> tuple[Posed, Array]:
        """The right hand's kinematics (of the mirror image for a left one) and its shape (B, 10)."""
        orient, pose = np.atleast_2d(global_orient), np.atleast_2d(hand_pose)
        shape = np.zeros((1, 10)) if betas is None else np.atleast_2d(betas)
        shift = np.zeros((1, 3)) if transl is None else np.atleast_2d(transl)
        count = max(map(len, (orient, pose, shape, shift)))
        orient, pose, shape, shift = (
            np.broadcast_to(np.asarray(a, dtype=np.float64), (count, a.shape[1])) for a in (orient, pose, shape, shift)
        )
        vectors = np.concatenate([orient, pose], axis=1).reshape(count, 16, 3)
        if side == "left":
            vectors, shift = mirror_axis_angle(vectors), mirror_points(shift)
        wrist = self.kinematics.rest_joints(shape)[:, 0] + shift
        return self.kinematics.forward(rotations.exp(vectors), shape, wrist), shape

    def _arrays(self, side: Side) -> dict[str, Array]:
        """The arrays in MANO's schema; those of the left model are mirrored in x."""
        arrays = {
            "v_template": self.v_template,
            "f": self.faces.astype(np.int64),
            "shapedirs": self.shapedirs,
            "posedirs": self.posedirs,
            "J_regressor": self.J_regressor,
            "weights": self.weights,
            "kintree_table": np.stack([PARENTS, np.arange(16)]),
            "hands_components": self.hands_components,
            "hands_mean": self.hands_mean,
        }
        if side == "left":
            signs = np.array([-1.0, 1.0, 1.0])
            arrays["v_template"] = mirror_points(self.v_template)
            arrays["f"] = arrays["f"][:, ::-1]
            arrays["shapedirs"] = self.shapedirs * signs[:, None]
            # A mirrored rotation has entries s_i s_j R_ij; the direction it pulls is mirrored too.
            arrays["posedirs"] = self.posedirs * signs[:, None] * np.tile(np.outer(signs, signs).ravel(), 15)
            for key in ("hands_components", "hands_mean"):
                arrays[key] = mirror_axis_angle(arrays[key].reshape(-1, 15, 3)).reshape(arrays[key].shape)
        return arrays


def load_hand_model(path: str = "") -> HandModel:
    """The embedded hand, or the MANO file of a right hand at ``path`` (``.pkl`` as licensed, or ``.npz``).

    Raises Refused: FILE (missing, truncated), FOREIGN_CLASS (a pickle naming something outside the allow-list),
    HAND_MODEL (not a right hand in MANO's schema).
    """
    source = Path(path) if path else EMBEDDED
    return HandModel(source.stem if path else "embedded", read_hand_file(source))
