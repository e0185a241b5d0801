"""Natural poses from anatomical synergies, and the pose components they span."""

import numpy as np
from numpy.typing import NDArray

from .skeleton import DIGITS, Skeleton, bone_of

Array = NDArray[np.float64]

FINGERS = ("index", "middle", "ring", "little")
# Degrees. Fingers: knuckle, middle, end flexion and spread, index to little.
# Thumb: CMC flexion, spread, twist; MCP flexion, spread; IP flexion.
Pose = dict[str, tuple[float, ...]]


def _hand(
    index: tuple[float, ...],
    middle: tuple[float, ...],
    ring: tuple[float, ...],
    little: tuple[float, ...],
    thumb: tuple[float, ...],
) -> Pose:
    return {"index": index, "middle": middle, "ring": ring, "little": little, "thumb": thumb}


FLAT = _hand((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0, 0, 0))
PROTOTYPES: dict[str, Pose] = {
    "flat": FLAT,
    "relaxed": _hand((22, 32, 15, 0), (27, 36, 17, 0), (30, 36, 17, 2), (32, 34, 16, 4), (14, 24, 14, 10, 0, 15)),
    "fist": _hand((78, 96, 50, -3), (74, 96, 36, 0), (72, 96, 32, 3), (70, 94, 28, 6), (20, 48, 30, 4, 10, 66)),
    "point": _hand((4, 5, 2, 0), (74, 96, 36, 0), (72, 96, 32, 3), (70, 94, 28, 6), (25, 37, 30, 10, -1, 32)),
    "pinch": _hand((44, 52, 26, -4), (55, 60, 30, 0), (58, 62, 30, 3), (58, 58, 30, 6), (20, 31, 14, 15, 1, 5)),
    "ok": _hand((44, 52, 26, -4), (18, 15, 8, 0), (10, 12, 6, -2), (5, 10, 5, -8), (20, 31, 14, 15, 1, 5)),
    "tripod": _hand((48, 48, 22, -6), (50, 52, 24, 0), (62, 66, 32, 3), (64, 66, 32, 6), (24, 32, 14, 15, 1, 8)),
    "thumbs_up": _hand((78, 96, 50, -3), (74, 96, 36, 0), (72, 96, 32, 3), (70, 94, 28, 6), (-22, -8, -10, -5, 0, -5)),
    "spread": _hand((-6, 4, 2, 14), (-4, 4, 2, 1), (-4, 4, 2, -10), (-6, 5, 2, -16), (-20, 0, 0, 0, 0, -5)),
    "cylinder": _hand((38, 42, 24, 2), (42, 44, 24, 0), (44, 44, 24, 0), (46, 42, 24, -2), (14, 42, 22, 10, 0, 25)),
    "sphere": _hand((30, 36, 22, 9), (32, 38, 22, 1), (32, 38, 22, -6), (30, 38, 22, -12), (4, 44, 20, 8, 0, 20)),
    "hook": _hand((10, 84, 52, 0), (12, 86, 52, 0), (12, 84, 52, 2), (10, 80, 50, 4), (4, 8, 6, 10, 0, 12)),
    "lumbrical": _hand((68, 14, 6, -2), (70, 14, 6, 0), (70, 14, 6, 4), (66, 14, 6, 8), (24, 38, 20, 14, 0, 8)),
    "key": _hand((42, 62, 32, 0), (52, 72, 36, 0), (58, 76, 38, 3), (60, 74, 38, 6), (34, 8, 5, 12, 0, 20)),
    "scissors": _hand((2, 5, 2, 8), (2, 5, 2, -5), (72, 96, 32, 3), (70, 94, 28, 6), (26, 43, 27, 22, -4, 44)),
    "oppose_little": _hand(
        (18, 22, 10, 0), (28, 32, 15, 0), (45, 46, 24, 2), (50, 40, 12, 12), (36, 44, 23, 25, 6, 10)
    ),
}


def to_axis_angle(pose: Pose, skeleton: Skeleton) -> Array:
    """MANO's hand pose (45,) of a pose in anatomical degrees."""
    vectors = np.zeros((16, 3))
    for digit in FINGERS:
        knuckle, middle, end, spread = np.radians(pose[digit])
        rows = [bone_of(digit, bone) for bone in range(3)]
        vectors[rows[0]] = knuckle * skeleton.flexion[rows[0]] + spread * skeleton.spread[rows[0]]
        vectors[rows[1]] = middle * skeleton.flexion[rows[1]]
        vectors[rows[2]] = end * skeleton.flexion[rows[2]]
    flexion, spread, twist, mcp, mcp_spread, ip = np.radians(pose["thumb"])
    cmc, knuckle, end = (bone_of("thumb", bone) for bone in range(3))
    vectors[cmc] = flexion * skeleton.flexion[cmc] + spread * skeleton.spread[cmc] - twist * skeleton.direction[cmc]
    vectors[knuckle] = mcp * skeleton.flexion[knuckle] + mcp_spread * skeleton.spread[knuckle]
    vectors[end] = ip * skeleton.flexion[end]
    return vectors[1:].reshape(45)


def sample_poses(skeleton: Skeleton, count: int, seed: int) -> Array:
    """Natural poses (count, 45): mixtures of two prototypes and rest, with small deviations of single digits."""
    rng = np.random.default_rng(seed)
    names = list(PROTOTYPES)
    poses = np.empty((count, 45))
    for row in range(count):
        first, second = rng.choice(len(names), 2, replace=False)
        mix, reach = rng.beta(0.6, 0.6), rng.uniform(0.35, 1.05)
        angles: Pose = {}
        for digit in DIGITS:
            a, b, rest = (np.array(PROTOTYPES[name][digit]) for name in (names[first], names[second], "relaxed"))
            own = mix if rng.random() < 0.75 else rng.random()
            spread = 2.0 + 0.05 * np.abs(a - b)
            angles[digit] = tuple(rest + reach * (own * a + (1 - own) * b - rest) + rng.normal(size=len(a)) * spread)
        poses[row] = to_axis_angle(angles, skeleton)
    return poses


def build_components(skeleton: Skeleton, seed: int, count: int = 4000) -> tuple[Array, Array]:
    """Principal pose components (45, 45), orthonormal rows, strongest first, and the mean pose (45,), axis-angle."""
    poses = sample_poses(skeleton, count, seed)
    mean = to_axis_angle(PROTOTYPES["relaxed"], skeleton)
    _, _, components = np.linalg.svd(poses - poses.mean(axis=0), full_matrices=True)
    signs = np.sign(components[np.arange(45), np.abs(components).argmax(axis=1)])
    return components * signs[:, None], mean
