"""Shape directions and the joint regressor.

A direction gives every bone a small affine map (stretch along the bone, across it, and through it from back to pad);
joints follow down the tree and vertices by their skinning weights, so flesh and joints change together. Betas have unit
variance: sizes are set so that |beta| <= 3 covers adult hands (one step of the first is 9 mm of hand length).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from .skeleton import DIGITS, PARENTS, Skeleton, bone_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """Relative change per unit of beta of the palm (length, breadth, thickness) and of digits' bones.

    ``bones``: digit -> three rows (length, breadth, thickness), first bone to last. ``slant``: how far the knuckle row
    leans, the thumb side forward.
    """

    palm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bones: dict[str, tuple[tuple[float, float, float], ...]] | None = None
    slant: float = 0.0


def _all(
    length: float, breadth: float, thickness: float, digits: tuple[str, ...] = DIGITS
) -> dict[str, tuple[tuple[float, float, float], ...]]:
    return dict.fromkeys(digits, ((length, breadth, thickness),) * 3)


FINGERS = ("index", "middle", "little", "ring")
CHANGES = (
    Change((0.047, 0.047, 0.047), _all(0.047, 0.047, 0.047)),  # size
    Change((-0.006, 0.042, 0.020), _all(-0.006, 0.050, 0.030)),  # breadth
    Change((0.0, 0.012, 0.065), _all(0.0, 0.025, 0.060)),  # thickness
    Change((-0.022, 0.0, 0.0), _all(0.032, -0.012, -0.012, FINGERS)),  # fingers against palm
    Change((0.0, 0.0, 0.0), _all(0.045, 0.0, 0.0, ("thumb",))),  # thumb length
    Change(
        (0.0, 0.0, 0.0), _all(0.030, 0.0, 0.0, ("index",)) | _all(-0.030, 0.0, 0.0, ("ring",))
    ),  # index against ring
    Change((0.0, 0.0, 0.0), _all(0.050, 0.012, 0.012, ("little",)) | _all(-0.012, 0.0, 0.0, ("middle",))),  # little
    Change((0.0, 0.0, 0.0), dict.fromkeys(FINGERS, ((-0.035, 0.0, 0.0), (0.015, 0.0, 0.0), (0.050, 0.0, 0.0)))),  # ends
    Change((0.0, 0.0, 0.0), slant=0.045),  # knuckle row
    Change(
        (0.0, -0.008, 0.012), {"thumb": ((0.0, 0.080, 0.080), (0.0, 0.055, 0.055), (0.0, 0.055, 0.055))}
    ),  # ball of the thumb
)


def build_shapes(vertices: Array, weights: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Displacements per unit of beta of vertices (V, 3, 10) and of joints (16, 3, 10), m."""
    moved = [_displacements(vertices, weights, skeleton, change) for change in CHANGES]
    return np.stack([v for v, _ in moved], axis=-1), np.stack([j for _, j in moved], axis=-1)


def _displacements(vertices: Array, weights: Array, skeleton: Skeleton, change: Change) -> tuple[Array, Array]:
    maps = np.zeros((16, 3, 3))
    maps[0] = np.diag([change.palm[0], change.palm[2], change.palm[1]])
    maps[0, 0, 2] = -change.slant
    for digit, rows in (change.bones or {}).items():
        for bone, sizes in enumerate(rows):
            row = bone_of(digit, bone)
            axes = np.stack([skeleton.direction[row], skeleton.flexion[row], skeleton.spread[row]])
            maps[row] = axes.T @ np.diag(sizes) @ axes
    joints = np.empty((16, 3))
    joints[0] = maps[0] @ skeleton.joints[0]
    for row in range(1, 16):
        parent = PARENTS[row]
        joints[row] = joints[parent] + maps[parent] @ (skeleton.joints[row] - skeleton.joints[parent])
    offsets = vertices[:, None] - skeleton.joints
    return np.einsum("vb,vbi->vi", weights, np.einsum("bij,vbj->vbi", maps, offsets) + joints), joints


def build_regressor(
    vertices: Array, shapedirs: Array, skeleton: Skeleton, joint_shapes: Array, near: int = 48
) -> Array:
    """Regressor (16, V): non-negative, rows sum to one, on near vertices, right at rest and under every shape."""
    regressor = np.zeros((16, len(vertices)))
    for row in range(16):
        distance = np.linalg.norm(vertices - skeleton.joints[row], axis=1)
        picked = np.sort(np.argsort(distance, kind="stable")[:near])
        known = np.concatenate([vertices[picked][:, :, None], shapedirs[picked]], axis=2)
        wanted = np.concatenate([skeleton.joints[row][:, None], joint_shapes[row]], axis=1)
        centred = (
            (known - np.concatenate([skeleton.joints[row][:, None], np.zeros((3, 10))], axis=1)).reshape(near, -1).T
        )
        target = np.concatenate([np.zeros((3, 1)), wanted[:, 1:]], axis=1).reshape(-1)
        spread_out = 2e-3 * np.eye(near) * distance[picked]
        system = np.concatenate([1e3 * centred, np.full((1, near), 1e3), spread_out])
        solution, _ = nnls(system, np.concatenate([1e3 * target, [1e3], np.zeros(near)]), maxiter=100 * near)
        regressor[row, picked] = solution / solution.sum()
    return regressor
