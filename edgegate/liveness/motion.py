"""How the face moved between two glances, and whether the whole picture moved with it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.liveness.glance import Box, Glance, Points
from edgegate.model import Image

MIN_POINTS = 8
"""Fewer points of the face followed from one glance to the other tell nothing."""
_FACE_POINTS = 40
_FAR_POINTS = 20
_WINDOW = (15, 15)
_LEVELS = 3
_LOST_PX = 0.5
"""A point followed forth and back that ends farther from where it began was lost."""
_AGREE = 0.6
"""The share of the face's points that one turn, scale and shift has to explain."""
_FOLLOW_PX = 0.7
_FOLLOW = 0.35
"""What a point may be off, as a share of the way that it would have moved."""
_FAR = 1.6
"""Farther from the middle of the face, in widths of it, is background: a person's, and that of most things held up."""
_BESIDE_CODE = 0.3
"""What is so near to the badge's code, in sizes of it, is in somebody's hand."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The turn, scale and shift, (2, 3), that takes the face from one glance to the other."""

    matrix: NDArray[np.float64]
    moved: float
    """How far the middle of the face went, in pixels of the glance."""
    everything: bool
    """The background moved the same way: it is the camera that moved."""

    def apply(self, points: Points) -> Points:
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2])


def follow(before: Glance, after: Glance) -> Motion | None:
    """The motion of the face, by points followed from one glance to the other (Lucas and Kanade, pyramidal); None
    where too few can be."""
    mask = _inside(before.grey, before.face)
    start = _corners(before.grey, mask, _FACE_POINTS)
    if len(start) < MIN_POINTS:
        return None
    far = _corners(before.grey, _background(before), _FAR_POINTS)
    begun, ended = _tracked(before.grey, after.grey, np.concatenate([start, far]))
    of_face = mask[begun[:, 1].astype(int), begun[:, 0].astype(int)] > 0
    if np.count_nonzero(of_face) < MIN_POINTS:
        return None
    matrix, agree = cv2.estimateAffinePartial2D(
        begun[of_face], ended[of_face], method=cv2.RANSAC, ransacReprojThreshold=_FOLLOW_PX
    )
    if matrix is None or float(np.mean(agree)) < _AGREE:
        return None
    x, y, w, h = before.face
    middle = np.array([[x + w / 2, y + h / 2]])
    motion = Motion(np.asarray(matrix, np.float64), 0.0, everything=False)
    moved = float(np.linalg.norm(motion.apply(middle) - middle))
    return Motion(motion.matrix, moved, _all_follow(motion, begun[~of_face], ended[~of_face]))


def _all_follow(motion: Motion, begun: Points, ended: Points) -> bool:
    """Did most points of the background go where the face's motion would have taken them?"""
    if not len(begun):
        return False
    expected = motion.apply(begun)
    way = np.linalg.norm(expected - begun, axis=1)
    telling = way > 1.0
    off = np.linalg.norm(ended - expected, axis=1)
    return bool(np.count_nonzero(telling) > 2 and np.mean(off[telling] < _FOLLOW * way[telling]) > 0.5)


def _corners(grey: Image, mask: Image, most: int) -> NDArray[np.float32]:
    found = cv2.goodFeaturesToTrack(grey, most, 0.02, 4, mask=mask, blockSize=5) if mask.any() else None
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found.reshape(-1, 2), np.float32)


def _tracked(before: Image, after: Image, start: NDArray[np.float32]) -> tuple[Points, Points]:
    """The points that could be followed: where they began, and where they ended."""
    # OpenCV writes into what it is given for the answer: two answers, two arrays.
    end, back = np.zeros_like(start), np.zeros_like(start)
    _, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, end, winSize=_WINDOW, maxLevel=_LEVELS)
    _, again, _ = cv2.calcOpticalFlowPyrLK(after, before, end, back, winSize=_WINDOW, maxLevel=_LEVELS)
    kept = (np.ravel(found) == 1) & (np.ravel(again) == 1) & (np.linalg.norm(back - start, axis=1) < _LOST_PX)
    return start[kept].astype(np.float64), end[kept].astype(np.float64)


def _inside(grey: Image, face: Box) -> Image:
    x, y, w, h = face
    return _rectangle(grey, x + 0.05 * w, y + 0.1 * h, x + 0.95 * w, y + 0.95 * h)


def _background(glance: Glance) -> Image:
    """All but the face's surroundings and the badge's."""
    x, y, w, h = glance.face
    reach = _FAR * w
    middle_x, middle_y = x + w / 2, y + h / 2
    taken = _rectangle(glance.grey, middle_x - reach, middle_y - reach, middle_x + reach, middle_y + reach)
    if glance.code is not None:
        (left, top), (right, bottom) = glance.code.min(axis=0), glance.code.max(axis=0)
        beside = _BESIDE_CODE * max(right - left, bottom - top)
        taken |= _rectangle(glance.grey, left - beside, top - beside, right + beside, bottom + beside)
    return np.asarray(255 - taken, np.uint8)


def _rectangle(grey: Image, left: float, top: float, right: float, bottom: float) -> Image:
    mask = np.zeros(grey.shape, np.uint8)
    mask[max(0, int(top)) : max(0, int(bottom)), max(0, int(left)) : max(0, int(right))] = 255
    return mask
