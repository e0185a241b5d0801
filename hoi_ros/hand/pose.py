"""From a fit to the HandPose that travels between stages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.hand.inverse_kinematics import HandFit
from hoi_ros.hand.mirror import mirror_points
from hoi_ros.hand.model import HandModel
from hoi_ros.types import Array, HandBatch, HandPose, Intrinsics, Side

BEFORE = 1e-3  # m along the view from which a camera sees points


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


def refined_hand(model: HandModel, hand: HandPose, better: HandBatch, by: str) -> HandPose:
    """A hand with the parameters of ``better`` (1), by the refiner of that name: all that follows from them is new.

    Both are right hands.
    """
    orient, pose, betas, transl = (values[0] for values in vars(better).values())
    joints = model.joints(orient, pose, betas, transl)[0]
    return replace(
        hand,
        global_orient=orient,
        hand_pose=pose,
        betas=betas,
        transl=transl,
        keypoints=joints,
        wrist_pose=np.concatenate([joints[0], Rotation.from_rotvec(orient).as_quat()]),
        keypoints_2d=projected(hand, joints),
        refinement=by,
        change=float(np.linalg.norm(joints - hand.keypoints, axis=1).mean()),
    )


def projected(hand: HandPose, keypoints: Array) -> Array:
    """Pixels (21, 2) of keypoints (21, 3), m, by the camera that the hand's own keypoints and pixels tell.

    A mirrored scene has a mirrored camera, whose focal length is negative in x. Zero for a hand in no picture.
    """
    if not hand.keypoints_2d.any() or min(hand.keypoints[:, 2].min(), keypoints[:, 2].min()) < BEFORE:
        return np.zeros((21, 2))
    before, after = (points[:, :2] / points[:, 2:] for points in (hand.keypoints, keypoints))
    columns = []
    for axis in range(2):
        known = np.stack([before[:, axis], np.ones(21)], axis=1)
        focal, centre = np.linalg.lstsq(known, hand.keypoints_2d[:, axis], rcond=None)[0]
        columns.append(focal * after[:, axis] + centre)
    return np.stack(columns, axis=1)
