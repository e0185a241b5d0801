"""One recording: the mug, its grasps, the motion and the camera, and the messages of each picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from demo_bag.messages import START, picture_messages
from rosbags.typesys.store import Typestore
from rosbags.typesys.stores.ros2_jazzy import (
    std_msgs__msg__String as String,
)

from evaluation_bag.grasps import TrueGrasp, mug, true_grasps
from evaluation_bag.motion import STILL, Motion, motion
from evaluation_bag.scene import SIDE, Scene, Shot, seen_cloud
from evaluation_bag.truth import CLOUD, GRASPS, INSTRUCTION, Truth, cloud_message
from hoi_ros.dataset.units import hand_model
from hoi_ros.hand.limits import palm_back
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

CLOUD_EVERY = 0.5  # s
MOST_DEPTH = 0.004  # m that the hand may be in the mug on its way
SENTENCES = ((0.05, "handle", "Grip the handle of the mug."), (0.2, "body", "Wrap your hand around the mug."))
"""When, as a share of the whole, about which part, and the words. The hand does the last."""


@dataclass(frozen=True)
class Frame:
    """One picture and the messages of its moment, by topic."""

    stamp: int  # ns
    share: float  # of the whole
    shot: Shot
    messages: dict[str, object]


class Recording:
    """Renders picture by picture; the same arguments, the same messages.

    ``seconds`` is how long the whole takes, ``rate`` in Hz, ``size`` width, height; ``seed`` chooses mug, grasps,
    colours and noise. Raises Refused(NO_GRASP) for a seed without a grasp that the hand comes to freely.
    """

    def __init__(self, seconds: float, rate: float, size: tuple[int, int], seed: int) -> None:
        self._model = hand_model()
        self.obj: ObjectModel = mug(seed)
        self._grasps = true_grasps(self.obj, seed)
        done = self._grasps[SENTENCES[-1][1]]
        if done.depth > MOST_DEPTH:
            deep = f"the hand that comes to {self.obj.name} would be {1e3 * done.depth:.1f} mm in it"
            raise Refused(Reason.NO_GRASP, f"{deep}; at most {1e3 * MOST_DEPTH:g} mm: take another seed")
        self.scene = Scene(self._model, self.obj, _azimuth(done), size, seed)
        self._seconds = seconds
        self._times = np.arange(round(seconds * rate)) / rate
        self._shares = self._times / seconds
        self._motion: Motion = motion(self._model, done.hand, done.kind, done.way, self._shares)

    def __len__(self) -> int:
        return len(self._times)

    def frames(self, types: Typestore) -> Iterator[Frame]:
        """Every picture with its messages; those that are bytes are CDR already."""
        truth = Truth(self._model, self.obj, self.scene, types)
        stamps = START + np.round(self._times * 1e9).astype(np.int64)
        clouds = self._first_after(np.arange(0.0, self._times[-1] + CLOUD_EVERY, CLOUD_EVERY))
        said = self._first_after(np.array([share * self._seconds for share, *_ in SENTENCES]))
        cloud_stamp = int(stamps[0])
        for number, (stamp, share) in enumerate(zip(stamps.tolist(), self._shares.tolist(), strict=True)):
            shot = self.scene.shot(self._motion.hands[[number]], self._motion.poses[number], number)
            keypoints = shot.picture.keypoints
            camera = self.scene.camera
            made = picture_messages(stamp, shot.picture.rgb, shot.picture.depth, keypoints, camera)
            made |= truth.picture(stamp, shot.hand, shot.object_pose)
            if number in clouds and any(start <= share <= end for start, end in STILL):
                made[CLOUD] = cloud_message(stamp, seen_cloud(shot.picture))
                cloud_stamp = stamp
            if number in said:
                _, part, words = SENTENCES[said.index(number)]
                made[INSTRUCTION] = String(words)
                made[GRASPS] = truth.grasps(cloud_stamp, self._grasps[part], words)
            yield Frame(stamp, share, shot, made)

    def _first_after(self, moments: Array) -> list[int]:
        """Numbers of the first pictures at or after moments (K,), s."""
        found: list[int] = np.searchsorted(self._times, moments - 1e-9).tolist()
        return found


def _azimuth(grasp: TrueGrasp) -> float:
    """Where the camera stands about the mug, rad: the hand's back and its fingers are seen."""
    hand = grasp.hand
    back = palm_back(hand_model().joints(hand.global_orient, hand.hand_pose, hand.betas, hand.transl)[0])
    return float(np.arctan2(back[1], back[0]) + SIDE)
