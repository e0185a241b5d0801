"""Robot hands in random and chosen poses, and human keypoints that a robot hand in such a pose would give."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting import ShadowHand
from hoi_ros.retargeting.shadow_hand import COUPLED, FINGERS
from hoi_ros.types import Array, HandPose, Side

HANDS: dict[Side, ShadowHand] = {side: ShadowHand.embedded(side) for side in ("right", "left")}
J1, J2 = ([HANDS["right"].names.index(f"rh_{finger}{joint}") for finger in COUPLED] for joint in ("J1", "J2"))


def random_positions(count: int, seed: int = 0, margin: float = 0.0) -> Array:
    """Joint positions (count, 24) inside the limits by a share of their range, J1 <= J2, wrist at zero."""
    hand, rng = HANDS["right"], np.random.default_rng(seed)
    positions = hand.lower + (hand.upper - hand.lower) * rng.uniform(margin, 1.0 - margin, (count, 24))
    positions[:, J1] = np.minimum(positions[:, J1], positions[:, J2])
    positions[:, :2] = 0.0
    return positions


def points(hand: ShadowHand, positions: Array) -> dict[str, Array]:
    """Tips, pads (half-way along the last link) and middle joints (N, 5, 3), m, in the palm's frame."""
    links = hand.link_poses(positions)
    from_root = np.linalg.inv(links["palm"])

    def of(link: str, share: float) -> Array:
        ends = [np.append(share * np.array(hand.tips[finger]), 1.0) for finger in FINGERS]
        return np.stack(
            [(from_root @ links[f"{f.lower()}{link}"] @ end)[:, :3] for f, end in zip(FINGERS, ends, strict=True)],
            axis=1,
        )

    return {"tip": of("distal", 1.0), "pad": of("distal", 0.5), "last": of("distal", 0.0), "middle": of("middle", 0.0)}


def keypoints_of(hand: ShadowHand, positions: Array, scale: float = 1.0) -> Array:
    """Keypoints (N, 21, 3) of a human hand whose wrist is the palm's origin and whose fingers are the robot's."""
    made, thumb = points(hand, positions), -1.0 if hand.side == "left" else 1.0
    keypoints = np.zeros((len(positions), 21, 3))
    keypoints[:, 1::4] = (0.02 * thumb, 0.0, 0.03)  # no objective reads the first joint of the thumb
    keypoints[:, [5, 9, 13, 17]] = np.array(
        [[0.03 * thumb, 0, 0.1], [0, 0, 0.1], [-0.02 * thumb, 0, 0.1], [-0.04 * thumb, 0, 0.09]]
    )
    keypoints[:, [2, 6, 10, 14, 18]] = made["middle"] / scale
    keypoints[:, [3, 7, 11, 15, 19]] = made["last"] / scale
    keypoints[:, [4, 8, 12, 16, 20]] = made["tip"] / scale
    return keypoints


def moved(keypoints: Array, seed: int = 0) -> tuple[Array, Rotation, Array]:
    """Keypoints turned and shifted at random, with the rotation and the shift."""
    rotation = Rotation.random(random_state=seed)
    shift = np.random.default_rng(seed).normal(0.0, 0.5, 3)
    return keypoints @ rotation.as_matrix().T + shift, rotation, shift


def hand_pose(keypoints: Array, side: Side = "right") -> HandPose:
    """Keypoints (21, 3) as they travel."""
    three = np.zeros(3)
    return HandPose(side, 1.0, three, np.zeros(45), np.zeros(10), three, keypoints, np.zeros(7), np.zeros((21, 2)))


def assert_safe(hand: ShadowHand, positions: Array, coupling: bool = True) -> None:
    """Finite, inside every limit, J1 <= J2: exactly, and still so as 32-bit numbers."""
    assert np.isfinite(positions).all()
    assert (positions >= hand.lower).all()
    assert (positions <= hand.upper).all()
    if coupling:
        assert (positions[..., J1] <= positions[..., J2]).all()
        short = positions.astype(np.float32)
        assert (short[..., J1] <= short[..., J2]).all()
