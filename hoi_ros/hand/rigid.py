"""A hand in another frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.types import Array, HandPose


def turned_hand(hand: HandPose, turn: Array) -> HandPose:
    """The hand turned about the origin by ``turn`` (3, 3).

    Its global rotation pivots about the wrist joint, so ``transl`` moves by what the wrist does. Pixels stay as they
    are: they belong to a picture.
    """
    rotation = Rotation.from_matrix(turn)
    wrist = turn @ hand.wrist_pose[:3]
    orient = rotation * Rotation.from_rotvec(hand.global_orient)
    return replace(
        hand,
        global_orient=orient.as_rotvec(),
        transl=hand.transl + wrist - hand.wrist_pose[:3],
        keypoints=hand.keypoints @ turn.T,
        wrist_pose=np.concatenate([wrist, orient.as_quat()]),
    )
