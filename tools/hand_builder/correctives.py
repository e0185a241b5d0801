"""Pose correctives: what linear blend skinning loses at a bent joint, put back by the flesh itself.

Each joint is bent alone through its range. Skinned vertices around it are moved back onto the surface of the flesh that
its two bones carry, as it stands in that pose (implicit skinning, Vaillant et al. 2013), which keeps the girth outside
the bend and lets the flesh bulge in its crease. The displacement, taken back to the rest pose, is fitted linearly in
the entries of (R - I) of that joint, as MANO's pose correctives are.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .flesh import Flesh
from .remesh import gradient
from .skeleton import DIGITS, LIMITS_DEG, PARENTS, Skeleton
from .skinning import edges_of

Array = NDArray[np.float64]
Faces = NDArray[np.int64]

REACH = 0.026
"""Only vertices this near the joint are corrected, m; the thumb's base reaches further."""
REACH_THUMB = 0.040
LARGEST = 0.007
"""Largest displacement of a target, m."""
RIDGE = 0.02


def build_correctives(vertices: Array, faces: Faces, weights: Array, skeleton: Skeleton, flesh: Flesh) -> Array:
    """Directions (V, 3, 135): columns 9 (j - 1) .. 9 j belong to joint j, rows of its matrix in order."""
    directions = np.zeros((len(vertices), 3, 135))
    for joint in range(1, 16):
        reach = REACH_THUMB if joint == 13 else REACH
        fade = _influence(vertices, weights, skeleton, joint, reach)
        near = np.flatnonzero(fade > 0)
        rotations = sample_rotations(skeleton, joint)
        features = (rotations - np.eye(3)).reshape(len(rotations), 9)
        moves = np.zeros((len(rotations), len(vertices), 3))
        for row, rotation in enumerate(rotations):
            moves[row, near] = _missing(vertices[near], weights[near], skeleton, flesh, joint, rotation)
        moves = _smoothed(moves * fade[None, :, None], faces)
        inverse = np.linalg.solve(features.T @ features + RIDGE * np.eye(9), features.T)
        fitted = np.einsum("fr,rvi->vif", inverse, moves)
        directions[:, :, 9 * (joint - 1) : 9 * joint] = fitted
    return directions


def sample_rotations(skeleton: Skeleton, joint: int) -> Array:
    """Rotations (N, 3, 3) of a joint over its range."""
    flexion, spread, along = (axes[joint] for axes in (skeleton.flexion, skeleton.spread, skeleton.direction))
    digit, bone = DIGITS[(joint - 1) // 3], (joint - 1) % 3
    if digit == "thumb" and bone == 0:
        ranges = LIMITS_DEG["thumb"]
        grid = np.stack(
            np.meshgrid(
                *(np.linspace(*ranges[n], 4) for n in ("cmc_flexion", "cmc_spread", "cmc_twist")), indexing="ij"
            ),
            -1,
        ).reshape(-1, 3)
        vectors = np.radians(grid) @ np.stack([flexion, spread, -along])
    elif digit == "thumb":
        low, high = LIMITS_DEG["thumb"]["mcp_flexion" if bone == 1 else "ip_flexion"]
        vectors = np.radians(np.linspace(low, high, 9))[:, None] * flexion
    else:
        low, high = LIMITS_DEG["finger"][("knuckle", "middle", "end")[bone]]
        vectors = np.radians(np.linspace(low, high, 9))[:, None] * flexion
        if bone == 0:
            sideways = np.radians(LIMITS_DEG["finger"]["spread"])[:, None] * spread
            vectors = np.concatenate([vectors, *(0.6 * vectors + side for side in sideways)])
    return Rotation.from_rotvec(vectors).as_matrix()


def _subtree(joint: int) -> list[int]:
    rows = [joint]
    for row in range(joint + 1, 16):
        if PARENTS[row] in rows:
            rows.append(row)
    return rows


def _influence(vertices: Array, weights: Array, skeleton: Skeleton, joint: int, reach: float) -> Array:
    """Share of the correction each vertex takes (V,): one by the joint, fading with distance, zero on other digits."""
    other = [row for row in range(1, 16) if (row - 1) // 3 != (joint - 1) // 3]
    distance = np.linalg.norm(vertices - skeleton.joints[joint], axis=1)
    fade = np.clip((reach - distance) / (0.25 * reach), 0.0, 1.0)
    return fade * np.clip(1.0 - 1.5 * weights[:, other].sum(axis=1), 0.0, 1.0)


def _missing(vertices: Array, weights: Array, skeleton: Skeleton, flesh: Flesh, joint: int, rotation: Array) -> Array:
    """Displacements (V, 3) in the rest pose that bring skinned vertices onto the flesh of the bent joint."""
    rotations = np.repeat(np.eye(3)[None], 17, axis=0)
    rest = np.concatenate(
        [skeleton.joints, skeleton.joints[13:14]]
    )  # the last: the bone that makes half the thumb's turn
    centres = rest.copy()
    rotations[_subtree(joint)] = rotation
    for row in _subtree(joint):
        centres[row] = skeleton.joints[joint] + rotation @ (skeleton.joints[row] - skeleton.joints[joint])
    if joint == 13:
        rotations[16] = Rotation.from_rotvec(0.5 * Rotation.from_matrix(rotation).as_rotvec()).as_matrix()
    moved = weights[:, _subtree(joint)].sum(axis=1)[:, None, None]
    blend = moved * rotation + (1.0 - moved) * np.eye(3)
    skinned = skeleton.joints[joint] + np.einsum("vij,vj->vi", blend, vertices - skeleton.joints[joint])

    def posed(points: Array) -> Array:
        return flesh.joint_field(joint, points, (rotations, centres, rest))

    level = flesh.joint_field(joint, vertices)
    points = skinned
    for _ in range(5):
        slope = gradient(points, posed)
        step = -((posed(points) - level) / np.maximum((slope**2).sum(1), 0.25))[:, None] * slope
        size = np.linalg.norm(step, axis=1, keepdims=True)
        points = points + step * np.minimum(1.0, 0.002 / np.maximum(size, 1e-12))
    move = points - skinned
    size = np.linalg.norm(move, axis=1, keepdims=True)
    move *= LARGEST * np.tanh(size / LARGEST) / np.maximum(size, 1e-12)
    return np.linalg.solve(blend, move[..., None])[..., 0]


def _smoothed(moves: Array, faces: Faces, times: int = 2) -> Array:
    """Displacements (N, V, 3) averaged a little with their neighbours."""
    edges = edges_of(faces)
    mean = np.zeros((moves.shape[1], moves.shape[1]))
    mean[edges[:, 0], edges[:, 1]] = mean[edges[:, 1], edges[:, 0]] = 1.0
    mean /= mean.sum(axis=1, keepdims=True)
    for _ in range(times):
        moves = 0.65 * moves + 0.35 * np.einsum("vu,nui->nvi", mean, moves, optimize=True)
    return moves
