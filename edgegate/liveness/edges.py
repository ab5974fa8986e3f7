"""Straight edges beside the face that move with it: the rim of a print, a screen's border.

A door frame behind a live face stays where it is when the face moves; hair and shoulders move with it but are not
straight. An edge shows only its motion across itself, which is all that is compared here.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.liveness.glance import Box, Glance, Points
from edgegate.liveness.motion import Motion

Segments = NDArray[np.float64]
"""(n, 2, 2): both ends of each, x and y in pixels of the glance."""

MIN_LENGTH = 0.4
"""Of the height of the face; what is shorter may be a strand of hair or a collar."""
MIN_ACROSS_PX = 1.5
"""An edge that the face's motion would take less far across itself tells nothing."""
_OFF = 0.35
"""What an edge may be off its place, as a share of that way, and at most `MIN_ACROSS_PX`."""
_SAME_ANGLE = 0.07
"""Sine of the angle, 4 degrees, within which two segments may be the same edge."""
_LIMIT = 0.35
"""Length on the second-best side, in heights of the face, for each pair of glances (docs/liveness.md)."""
_MIN_PAIRS = 2
SIDES = 3
"""Left, right, above."""


def segments(glance: Glance) -> Segments:
    """Straight edges around the face, and above its chin: below it are shoulders and a collar."""
    smooth = cv2.GaussianBlur(glance.grey, (0, 0), 1.0)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE).detect(smooth)[0]
    smooth.fill(0)
    if found is None:
        return np.zeros((0, 2, 2))
    ends = np.asarray(found, np.float64).reshape(-1, 2, 2)
    x, y, w, h = glance.face
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    across, down = ends.mean(axis=1).T
    on_face = (across > x - 0.1 * w) & (across < x + 1.1 * w) & (down > y - 0.15 * h)
    near = (across > x - 1.6 * w) & (across < x + 2.6 * w) & (down > y - 1.2 * h) & (down < y + h)
    return np.asarray(ends[(length > MIN_LENGTH * h) & near & ~on_face])


def carried(before: Segments, after: Segments, motion: Motion, face: Box) -> NDArray[np.float64]:
    """The length of the edges that went where the face's motion takes them and are no longer where they were, in
    heights of the face, on each of the `SIDES`."""
    total = np.zeros(SIDES)
    if not len(before) or not len(after):
        return total
    lines = _Lines.of(after)
    x, _, w, h = face
    for ends in before:
        length = float(np.linalg.norm(ends[1] - ends[0]))
        there = motion.apply(ends)
        across = abs(float((there.mean(axis=0) - ends.mean(axis=0)) @ _normal(there)))
        off = min(_OFF * across, MIN_ACROSS_PX)
        if across >= MIN_ACROSS_PX and lines.distance(there) < off <= lines.distance(ends):
            middle = ends[:, 0].mean()
            total[0 if middle < x else 1 if middle > x + w else 2] += length / h
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Segments in the form in which they are searched."""

    middle: Points
    along: Points
    half: NDArray[np.float64]

    @classmethod
    def of(cls, ends: Segments) -> _Lines:
        way = ends[:, 1] - ends[:, 0]
        length = np.linalg.norm(way, axis=1)
        return cls(ends.mean(axis=1), way / length[:, None], length / 2)

    def distance(self, ends: Points) -> float:
        """How far across the nearest segment of the same direction lies that overlaps this one; infinite without."""
        way = ends[1] - ends[0]
        length = float(np.linalg.norm(way))
        offset = self.middle - ends.mean(axis=0)
        across = np.abs(self.along[:, 0] * offset[:, 1] - self.along[:, 1] * offset[:, 0])
        apart = np.abs((self.along * offset).sum(axis=1))
        parallel = np.abs(self.along @ _normal(ends)) < _SAME_ANGLE
        return float(across[parallel & (apart < self.half + length / 4)].min(initial=np.inf))


def _normal(ends: Points) -> Points:
    way = ends[1] - ends[0]
    return np.array([-way[1], way[0]]) / float(np.linalg.norm(way))


class EdgesFollow:
    """The cue over the pairs of glances of one presentation."""

    def __init__(self) -> None:
        self._total: NDArray[np.float64] = np.zeros(SIDES)
        self._pairs = 0

    def add(self, lengths: NDArray[np.float64]) -> None:
        """What `carried` found in one pair between which the face moved."""
        self._total += lengths
        self._pairs += 1

    @property
    def strength(self) -> float:
        """On the second-best side, for each pair: a rim shows on two sides at least, one edge alone may be chance."""
        return float(np.sort(self._total)[-2]) / max(1, self._pairs)

    @property
    def raised(self) -> bool:
        return self._pairs >= _MIN_PAIRS and self.strength > _LIMIT
