"""From a fit to the HandPose that travels between stages."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.hand.inverse_kinematics import HandFit
from hoi_ros.hand.mirror import mirror_points
from hoi_ros.hand.model import HandModel
from hoi_ros.types import Array, HandPose, Intrinsics, Side


def make_hand_pose(
    model: HandModel,
    fit: HandFit,
    *,
    side: Side,
    score: float,
    intrinsics: Intrinsics,
    confidence: Array | None = None,
    track_id: int = 0,
    stamp_ns: int = 0,
    frame_id: str = "",
) -> HandPose:
    """The hand of one fit, with the keypoints, wrist pose and projection that follow from its parameters.

    A left ``fit`` holds the parameters of the left model. Lengths in m, the camera optical frame of ``intrinsics``.
    """
    betas = fit.betas[None]
    wrist = model.kinematics.rest_joints(betas)[0, 0]
    wrist = (wrist if side == "right" else mirror_points(wrist)) + fit.transl
    keypoints = model.joints(fit.global_orient, fit.hand_pose, betas, fit.transl, side)[0]
    return HandPose(
        side=side,
        score=score,
        global_orient=fit.global_orient,
        hand_pose=fit.hand_pose,
        betas=fit.betas,
        transl=fit.transl,
        keypoints=keypoints,
        wrist_pose=np.concatenate([wrist, Rotation.from_rotvec(fit.global_orient).as_quat()]),
        keypoints_2d=intrinsics.project(keypoints),
        confidence=np.ones(21) if confidence is None else confidence,
        track_id=track_id,
        stamp_ns=stamp_ns,
        frame_id=frame_id,
    )
