"""What the estimator costs beside the MediaPipe inside it: which share of a picture's time is ours.

Each picture of a recording goes to the whole estimator (landmarks, the hand model fitted to them and to depth, tracks,
smoothing) and to a MediaPipe of its own with the same settings, by turns. The ratio is the share of MediaPipe in a
picture's time, what is left of one is ours. Wall times; MediaPipe takes threads of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import hoi_ros.demo
from hoi_ros.benchmarks.side_by_side import comparison, result, take_turns
from hoi_ros.methods import landmarks
from hoi_ros.parameters import Parameters
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.offline import camera_frame
from hoi_ros.types import CameraFrame

OURS, PEER = "landmarks and inverse kinematics", "MediaPipe alone"
PERIOD = 33_333_333  # ns between pictures
FIRST = 5  # pictures that do not count: models load, hands are searched before they are followed


def run(data: str, pictures: int = 300) -> dict[str, Any]:
    """Measure on ``hand_rgbd/hand_rgbd.mcap`` of the folder ``data``, looped; without it on the embedded recording."""
    recording = Path(data) / "hand_rgbd" / "hand_rgbd.mcap"
    path = recording if recording.exists() else hoi_ros.demo.BAG
    with Bag(path) as bag:
        frames = [camera_frame(frame, wants_depth=bool(bag.topics.depth)) for frame in bag.frames()]
    found = {OURS: 0, PEER: 0}
    estimator = landmarks.build(Parameters())
    raw = mediapipe_hands(Parameters())

    def ours(frame: CameraFrame) -> None:
        found[OURS] += bool(estimator.estimate(frame))

    def theirs(frame: CameraFrame) -> None:
        found[PEER] += bool(raw.process(frame.rgb).multi_hand_landmarks)

    works = {OURS: _each(ours, frames), PEER: _each(theirs, frames)}
    seconds = {name: values[FIRST:] for name, values in take_turns(works, pictures + FIRST).items()}
    row = comparison("hands in a picture", f"{path.name}, {len(frames)} pictures looped", seconds)
    row["share_of_ours"] = 1.0 - row["peers"][PEER]["ratio"]["median"]
    row["pictures_with_hands"] = found
    return result([row], {})


def mediapipe_hands(parameters: Parameters) -> Any:
    """MediaPipe's own solution with the estimator's settings."""
    from mediapipe.python.solutions.hands import Hands

    score = parameters.min_score
    return Hands(max_num_hands=parameters.max_hands, min_detection_confidence=score, min_tracking_confidence=score)


def _each(work: Callable[[CameraFrame], None], frames: list[CameraFrame]) -> Callable[[], None]:
    """Work on the next frame at each call, for ever, in time that never stands still."""

    def stamped() -> Iterator[CameraFrame]:
        for number, frame in enumerate(cycle(frames)):
            yield replace(frame, stamp_ns=number * PERIOD)

    coming = stamped()
    return lambda: work(next(coming))
