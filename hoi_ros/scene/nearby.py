"""The objects of a cloud as hands meet them: in the hands' frame, as whole as they can be known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import Cloud, prepare
from hoi_ros.scene.completion import completed
from hoi_ros.scene.upright import Upright
from hoi_ros.types import HandPose, ObjectCloud

UNKNOWN = "no object is known"
LARGEST = 1e3  # rad, m or of a shape: what is larger is no hand's, and squares of it overflow


@dataclass(frozen=True)
class Nearby:
    """What was found in one cloud."""

    cloud: ObjectCloud  # that was looked at
    objects: tuple[ObjectCloud, ...]  # one at least, in its frame

    def groups(self, hands: Sequence[HandPose]) -> Iterator[tuple[list[int], ObjectCloud]]:
        """The rows of hands by the object that a keypoint of theirs is nearest to.

        Raises Refused as `ensure_usable` does.
        """
        for hand in hands:
            ensure_usable(hand, self.cloud)
        nearest = [int(np.argmin([tree.query(hand.keypoints)[0].min() for tree in self._trees])) for hand in hands]
        for number in sorted(set(nearest)):
            yield [row for row, of in enumerate(nearest) if of == number], self.objects[number]

    @cached_property
    def _trees(self) -> list[cKDTree]:
        return [cKDTree(each.points) for each in self.objects]


def surface(upright: Upright) -> ObjectCloud:
    """Points spread evenly, m, z up, with normals and with the side that a single view hides.

    Raises Refused(CLOUD) for too few different points.
    """
    cloud = upright.cloud
    return completed(prepare(Cloud(cloud.points, cloud.normals), viewpoint=cloud.viewpoint))


def whole(upright: Upright) -> ObjectCloud:
    """The same in the frame that it was given in."""
    found, cloud, turn = surface(upright), upright.cloud, upright.turn
    assert found.normals is not None
    return ObjectCloud(found.points @ turn, found.normals @ turn, cloud.stamp_ns, cloud.frame_id)


def holds(cloud_ns: int, stamp_ns: int, max_age: float) -> bool:
    """Whether a streamed cloud of a stamp, ns, tells where the object is at another: at most ``max_age`` s away."""
    return abs(stamp_ns - cloud_ns) <= max_age * 1e9


def unchanged(hands: Iterable[HandPose], why: str) -> list[HandPose]:
    """The same hands, marked."""
    return [replace(hand, refinement=f"unchanged: {why}", change=0.0) for hand in hands]


def ensure_usable(hand: HandPose, cloud: ObjectCloud | None) -> None:
    """Raises Refused: NOT_FINITE or KEYPOINTS for numbers that no hand has, FRAME for a cloud in another frame."""
    values = np.concatenate([hand.global_orient, hand.hand_pose, hand.betas, hand.transl, hand.keypoints.ravel()])
    if not np.isfinite(values).all():
        raise Refused(Reason.NOT_FINITE, f"{(~np.isfinite(values)).sum()} numbers of the hand are not finite")
    if (largest := np.abs(values).max()) > LARGEST:
        raise Refused(Reason.KEYPOINTS, f"a number of the hand is {largest:.3g}; no angle, shape or place is so large")
    if cloud is not None and cloud.frame_id and hand.frame_id and cloud.frame_id != hand.frame_id:
        raise Refused(Reason.FRAME, f"the hand is in '{hand.frame_id}', the object's cloud in '{cloud.frame_id}'")
