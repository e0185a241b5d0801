"""Hands that were found against true ones: their keypoints, and their surfaces where true MANO parameters are known."""

from __future__ import annotations

from collections.abc import Sequence

from hoi_ros.evaluation.objects import TrueObject
from hoi_ros.hand import HandModel
from hoi_ros.hand.model import HandMesh
from hoi_ros.metrics import hands as metrics
from hoi_ros.metrics.vertices import f_scores, vertex_error
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandPose, Intrinsics

SAME = 0.001  # m: within this, keypoints are those of their parameters in the same hand model


def nearest(hands: Sequence[HandPose], true: Array | None) -> HandPose | None:
    """Of several hands the one that is compared: the nearest to the true one, the surest where there is none."""
    if not hands:
        return None
    if true is None:
        return max(hands, key=lambda hand: hand.score)
    return min(hands, key=lambda hand: float(metrics.mpjpe(hand.keypoints, true)))


def keypoint_figures(hand: HandPose, true: Array, camera: Intrinsics | None) -> dict[str, float]:
    """Errors of keypoints against true ones (21, 3), m; in the picture as well where its camera is known."""
    found = {
        "mpjpe_mm": 1e3 * float(metrics.mpjpe(hand.keypoints, true)),
        "r_mpjpe_mm": 1e3 * float(metrics.r_mpjpe(hand.keypoints, true)),
        "st_mpjpe_mm": 1e3 * float(metrics.st_mjpe(hand.keypoints, true)),
        "pa_mpjpe_mm": 1e3 * float(metrics.pa_mpjpe(hand.keypoints, true)),
    }
    if camera is not None:
        found["error_2d_px"] = float(metrics.error_2d(hand.keypoints_2d, camera.project(true)))
    return found


class Surfaces:
    """Compares the skin of found hands with that of true ones, and what both touch of the true object."""

    def __init__(self, model: HandModel, obj: TrueObject | None = None) -> None:
        self._model, self._obj = model, obj

    def figures(self, hand: HandPose, true: HandPose, pose: Array | None) -> dict[str, float]:
        """Errors of 778 vertices, and contact where the object's ``pose`` (7,) is known in the same frame.

        Raises Refused(HAND_MODEL) where the true keypoints are not those of the true parameters in the hand model.
        """
        here, there = self._mesh(hand), self._mesh(true)
        off = float(metrics.mpjpe(there.keypoints[0], true.keypoints))
        if not off <= SAME:
            raise Refused(
                Reason.HAND_MODEL,
                f"true hands are of another hand model: by their parameters in '{self._model.name}' keypoints are "
                f"{1e3 * off:.3g} mm off; surfaces are not compared",
            )
        found, right = here.vertices[0], there.vertices[0]
        f_5, f_15 = f_scores(metrics.procrustes(found, right), right).tolist()
        figures = {"vertex_mm": 1e3 * float(vertex_error(found, right)), "f_5": f_5, "f_15": f_15}
        if self._obj is not None and pose is not None:
            figures |= self._obj.contact(found, right, pose)
        return figures

    def _mesh(self, hand: HandPose) -> HandMesh:
        return self._model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, hand.side)
