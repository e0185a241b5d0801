"""Hands followed from picture to picture: which detection is which hand, on which side, and since when it is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hoi_ros.hand import HandFit
from hoi_ros.methods.landmarks.detector import Detection, pixel_distance
from hoi_ros.methods.landmarks.one_euro import OneEuro
from hoi_ros.types import Side

FARTHEST = 0.7  # of a hand's size: how far its keypoints move at most between two pictures
OTHER_SIDE = 0.3  # of a hand's size: two hands that cross are told apart by their sides, unless they are this far apart
SIDE_MEMORY = 0.9  # share of the evidence for a side that a picture leaves of the older
MISSES = 5  # pictures without a detection after which a hand is gone


@dataclass(eq=False)
class Track:
    """One followed hand. Fits are those of the right model, of the mirrored scene for a left hand."""

    number: int
    detection: Detection
    filter: OneEuro
    evidence: float = 0.0  # for the right side if positive
    fit: HandFit | None = None
    stamp_ns: int = 0
    misses: int = 0

    @property
    def side(self) -> Side:
        """The side called most by weight, lately: one wrong call does not turn a hand around."""
        return "right" if self.evidence >= 0.0 else "left"

    def see(self, detection: Detection) -> None:
        """Take the hand's detection in a new picture. A hand that changes sides starts anew."""
        before = self.side
        vote = detection.score if detection.side == "right" else -detection.score
        self.evidence = SIDE_MEMORY * self.evidence + vote
        self.detection, self.misses = detection, 0
        if self.fit is not None and self.side != before:
            self.fit = None
            self.filter.reset()


class Tracker:
    """All followed hands. Numbers start at 1 and are not used again."""

    def __init__(self, make_filter: Callable[[], OneEuro]) -> None:
        self._make_filter = make_filter
        self._tracks: list[Track] = []
        self._count = 0

    def update(self, detections: list[Detection]) -> tuple[list[Track], list[Track]]:
        """The track of each detection, in their order, and the tracks that have none but are not given up yet."""
        seen = []
        for detection, known in zip(detections, assign(self._tracks, detections), strict=True):
            track = known or self._begin(detection)
            track.see(detection)
            seen.append(track)
        missed = [track for track in self._tracks if track not in seen]
        for track in missed:
            track.misses += 1
        lost = [track for track in missed if track.misses <= MISSES]
        self._tracks = seen + lost
        return seen, lost

    def drop(self, track: Track) -> None:
        """End a track now."""
        self._tracks.remove(track)

    def reset(self) -> None:
        """Forget all hands, and count from 1 again."""
        self._tracks, self._count = [], 0

    def _begin(self, detection: Detection) -> Track:
        self._count += 1
        return Track(self._count, detection, self._make_filter())


def assign(tracks: list[Track], detections: list[Detection]) -> list[Track | None]:
    """The track of each detection, None for a new hand: least total distance in the picture."""
    found: list[Track | None] = [None] * len(detections)
    if not tracks or not detections:
        return found
    distance = np.array([[pixel_distance(t.detection, d) for d in detections] for t in tracks])
    other = np.array([[t.side != d.side for d in detections] for t in tracks])
    allowed = distance < FARTHEST
    cost = np.where(allowed, distance + OTHER_SIDE * other, 1e3)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if allowed[row, column]:
            found[column] = tracks[row]
    return found
