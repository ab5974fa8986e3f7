"""The badge's code and the face on one surface: a print, a phone or a tablet that shows both.

A badge is held in the hand and a live face moves by itself; two pictures on one surface move as one.
"""

from __future__ import annotations

import numpy as np
import zxingcpp

from edgegate.liveness.glance import Box, Points
from edgegate.liveness.motion import Motion
from edgegate.model import Image

MIN_MOVE_PX = 1.5
"""Where neither face nor code would take the face farther than this, in pixels of the glance, nothing can be told."""
_LIMIT = 0.1
"""0 where both move as one, about 1 where each moves by itself (docs/liveness.md)."""
_MIN_PAIRS = 2

_QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


def code_corners(grey: Image) -> Points | None:
    """The corners, (4, 2), of the QR code in a grey picture; None where there is none, or several."""
    found = zxingcpp.read_barcodes(grey, formats=_QR)
    if len(found) != 1:
        return None
    place = found[0].position
    corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    return np.array([[corner.x, corner.y] for corner in corners], np.float64)


def apart(before: Points, after: Points, motion: Motion, face: Box) -> tuple[float, float] | None:
    """How differently the code (its corners in two glances) and the face moved: the square of what the code's motion
    leaves unexplained of the face's, and the squares of both ways, in pixels of the glance. None where nothing
    moved."""
    x, y, w, h = face
    middle = np.array([x + w / 2, y + h / 2])
    by_face = motion.apply(middle[None])[0] - middle
    by_code = _carry(before, after, middle) - middle
    ways = float(by_face @ by_face), float(by_code @ by_code)
    if max(ways) < MIN_MOVE_PX**2:
        return None
    left = by_face - by_code
    return float(left @ left), sum(ways)


def _carry(before: Points, after: Points, point: Points) -> Points:
    """Where the turn, scale and shift between the corners takes a point (least squares, in complex numbers)."""
    old, new = before @ np.array([1, 1j]), after @ np.array([1, 1j])
    start, end = old.mean(), new.mean()
    turn = np.vdot(old - start, new - end) / np.vdot(old - start, old - start)
    there = end + turn * (complex(*point) - start)
    return np.array([there.real, there.imag])


class BadgeFollows:
    """The cue over the pairs of glances of one presentation."""

    def __init__(self) -> None:
        self._left = self._ways = 0.0
        self._pairs = 0

    def add(self, left: float, ways: float) -> None:
        """What `apart` found in one pair."""
        self._left += left
        self._ways += ways
        self._pairs += 1

    @property
    def difference(self) -> float:
        """0 where face and code move as one, about 1 where each moves by itself; 1 without any pair."""
        return self._left / self._ways if self._pairs else 1.0

    @property
    def raised(self) -> bool:
        return self._pairs >= _MIN_PAIRS and self.difference < _LIMIT
