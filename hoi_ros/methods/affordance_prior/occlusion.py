"""What of a hand a camera cannot see: hidden by itself, or by the object as cloud, measured depth or mask tell it.

Everything is in the camera optical frame, m; the camera is at the origin. Keypoints are K21. The rule for the hand
itself is that of the dataset (``scene.sight``). Margins were chosen on the validation split's pictures, for hands that
are true and for hands that are 5 and 10 mm off along the view, where they make the harmonic mean of precision and
recall largest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.hand import HandModel
from hoi_ros.hand.kinematics import K21
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.sight import first_hits, keypoint_sight
from hoi_ros.types import Array, HandPose

Mask = NDArray[np.bool_]

NEAREST = 1e-3  # m: a camera sees nothing that is nearer
CLOUD_MARGIN = 0.007  # m that the object's points lie before a keypoint
DEPTH_MARGIN = 0.018  # m that what is measured lies before the hand's own skin
OFF_CENTRE = 0.4  # of the radius: points whose middle is farther from a ray lie beside it
NEIGHBOURS = 6  # of a point on an evenly sampled surface
UNSURE = 0.6  # of the surest keypoint's confidence: of one below, an estimator did not see it
_ASKED = 256  # points are enough to tell a cloud's spacing
_WINDOW = 1  # px about a keypoint
_FAR_KEYPOINTS = np.argsort(K21)[1:16] + 1  # one finger's keypoints stand in a row


def hidden_keypoints(model: HandModel, hand: HandPose, points: Array | None) -> Mask:
    """Keypoints (21,) that the hand or an object's ``points`` (N, 3) hide, or that the estimator did not see.

    An estimator that is as unsure of the whole hand, as one without depth is, tells nothing by it.

    Raises Refused(CLOUD) as ``hidden_by_cloud`` does.
    """
    hidden = hidden_by_self(model, hand) | (hand.confidence < UNSURE * hand.confidence.max())
    return hidden if points is None else hidden | hidden_by_cloud(hand.keypoints, points)


def hidden_by_self(model: HandModel, hand: HandPose) -> Mask:
    """Keypoints (21,) that the hand's own mesh hides, or that lie behind the camera."""
    sight = keypoint_sight(model)
    keypoints, depth, face = _first_skin(model, hand)
    finger = np.where(np.isfinite(depth), sight.face_fingers[np.where(np.isfinite(depth), face, 0)], -1)
    hidden: Mask = ~sight.decide(depth, finger, np.zeros(21, dtype=bool), keypoints)
    return hidden | ~_before_camera(hand)


def hidden_by_cloud(keypoints: Array, points: Array) -> Mask:
    """Which of ``keypoints`` (21, 3) an object hides whose ``points`` (N, 3) are its whole surface or only its front.

    The points about a keypoint's ray, nearer than it by ``CLOUD_MARGIN``, must lie around the ray and not all on one
    side of it, where the object ends. About means within the distance of six neighbours: the spacing of a surface that
    is sampled at random, 1.7 times that of one sampled evenly. Raises Refused(CLOUD) for too few points to tell it, or
    points that are not finite.
    """
    if len(points) <= NEIGHBOURS or not np.isfinite(points).all():
        raise Refused(Reason.CLOUD, f"{len(points)} points, not all of a surface: more than {NEIGHBOURS}, finite ones")
    radius = _spacing(points)
    length = np.linalg.norm(keypoints, axis=1)
    rays = keypoints / np.maximum(length, NEAREST)[:, None]
    along = points @ rays.T  # (N, 21)
    aside = points[:, None] - along[..., None] * rays  # (N, 21, 3)
    before = (along > NEAREST) & (along < length - CLOUD_MARGIN) & ((aside**2).sum(axis=-1) < radius**2)
    count = before.sum(axis=0)
    middle = np.linalg.norm((aside * before[..., None]).sum(axis=0), axis=1)
    return (count > 0) & (middle < OFF_CENTRE * radius * count)


def hidden_by_depth(model: HandModel, hand: HandPose, depth: NDArray[np.float32] | Array) -> Mask:
    """Keypoints (21,) before whose skin a camera measures something else, or that are outside of the picture.

    ``depth`` (H, W) m along z, 0 or NaN where unknown, belongs to the picture that ``hand.keypoints_2d`` are in. The
    median of the 3 x 3 pixels about a keypoint counts; where none is known, nothing is hidden.
    """
    skin = np.minimum(_first_skin(model, hand)[1], hand.keypoints[:, 2])
    pixels = np.round(hand.keypoints_2d)
    outside = _outside(pixels, depth.shape)
    measured = [_known_median(depth, pixel) for pixel in pixels[~outside].astype(int)]
    hidden = outside.copy()
    hidden[~outside] = np.array(measured) < skin[~outside] - DEPTH_MARGIN
    return hidden | ~_before_camera(hand)


def hidden_by_mask(keypoints_2d: Array, thing: Mask, hand: Mask | None = None) -> Mask:
    """Which of ``keypoints_2d`` (21, 2) px lie where the object ``thing`` (H, W) is seen, or outside of the picture.

    With a mask of the visible ``hand`` (H, W) also those that lie where no hand is seen, whatever hides them, but for
    the wrist, which may be seen as a part of the arm. The 3 x 3 pixels about a keypoint must agree.
    """
    pixels = np.round(keypoints_2d)
    hidden = _outside(pixels, thing.shape)
    for number in np.flatnonzero(~hidden):
        window = _window(pixels[number].astype(int))
        hidden[number] = thing[window].all() or (hand is not None and number > 0 and not hand[window].any())
    return hidden


def joints_hidden(hidden: Mask) -> Mask:
    """Which of MANO's 15 joint rotations (..., 15) cannot be seen, by hidden keypoints (..., 21).

    A rotation shows in where the keypoint at the far end of its bone is: it is hidden where that one is.
    """
    found: Mask = hidden[..., _FAR_KEYPOINTS]
    return found


def _first_skin(model: HandModel, hand: HandPose) -> tuple[Array, Array, NDArray[np.int64]]:
    """Keypoints (21, 3) m, and the depth (21,) m along z and face (21,) of the hand that their rays meet first."""
    mesh = model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, hand.side)
    keypoints = mesh.keypoints[0].copy()
    keypoints[:, 2] = np.maximum(keypoints[:, 2], NEAREST)
    depth, face = first_hits(mesh.vertices[0], model.closed_faces, keypoints / keypoints[:, 2:])
    return keypoints, depth, face


def _before_camera(hand: HandPose) -> Mask:
    return hand.keypoints[:, 2] > NEAREST


def _spacing(points: Array) -> float:
    """Median distance, m, from a point to the last of its six nearest neighbours."""
    asked = points[:: max(len(points) // _ASKED, 1)]
    return float(np.median(cKDTree(points).query(asked, NEIGHBOURS + 1)[0][:, -1]))


def _outside(pixels: Array, shape: tuple[int, ...]) -> Mask:
    """Which of whole ``pixels`` (21, 2) are not in a picture of ``shape`` (H, W)."""
    inside: Mask = ((pixels >= 0) & (pixels < np.array(shape[::-1]))).all(axis=1)
    return ~inside


def _window(pixel: NDArray[np.int_]) -> tuple[slice, slice]:
    """The 3 x 3 pixels about one, cut at the picture's edge."""
    column, row = pixel
    return slice(max(row - _WINDOW, 0), row + _WINDOW + 1), slice(max(column - _WINDOW, 0), column + _WINDOW + 1)


def _known_median(depth: NDArray[np.float32] | Array, pixel: NDArray[np.int_]) -> float:
    """Median, m, of what is known about a pixel; infinite where nothing is."""
    values = depth[_window(pixel)]
    known = values[values > 0]
    return float(np.median(known)) if known.size else np.inf
