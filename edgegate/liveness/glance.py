"""What the cues keep of a frame: the surroundings of the face, grey, and so small that nobody is recognised by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.model import Image

Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height."""
Points: TypeAlias = NDArray[np.float64]
"""(n, 2): x, y."""

FACE_PX = 64
"""How wide the face is in a glance."""
REACH = 2.0
"""How far a window reaches from the middle of the face, in widths of it."""
DRIFT = 0.4
"""A face that has moved farther from where the window was laid, in widths of it, or is so much larger or smaller,
wants a window of its own."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the picture that stays in place while the face in it moves, and its scale."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float
    face: Box
    """As it was when the window was laid, in pixels of the picture."""

    @classmethod
    def around(cls, image: Image, face: Box) -> Window:
        height, width = image.shape[:2]
        x, y, w, h = face
        reach = REACH * w
        middle_x, middle_y = x + w / 2, y + h / 2
        left, top = min(max(0, int(middle_x - reach)), width - 1), min(max(0, int(middle_y - reach)), height - 1)
        return cls(
            left=left,
            top=top,
            right=max(left + 1, min(width, int(middle_x + reach) + 1)),
            bottom=max(top + 1, min(height, int(middle_y + reach) + 1)),
            scale=FACE_PX / w,
            face=face,
        )

    def holds(self, face: Box) -> bool:
        """Is this still the window for a face that is now here?"""
        x, y, w, h = self.face
        far = max(abs(face[0] + face[2] / 2 - x - w / 2), abs(face[1] + face[3] / 2 - y - h / 2))
        return far < DRIFT * w and abs(face[2] / w - 1) < DRIFT

    def shown(self, points: Points) -> Points:
        """Points of the picture as they lie in a glance."""
        return np.asarray((points - np.array([self.left, self.top])) * self.scale, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """The window at one moment. Lengths are in its own pixels."""

    grey: Image = field(repr=False)
    face: Box
    code: Points | None = None
    """The corners of the badge's QR code, (4, 2), as far as one is in view; they may lie outside the window."""

    def wipe(self) -> None:
        self.grey.fill(0)


def glance(grey: Image, window: Window, face: Box, code: Points | None = None) -> Glance:
    """What the window shows of a grey picture, (height, width). `face` and `code` are in its pixels."""
    part = grey[window.top : window.bottom, window.left : window.right]
    size = tuple(max(8, round(side * window.scale)) for side in (part.shape[1], part.shape[0]))
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    (x, y), (w, h) = window.shown(np.array([face[:2]]))[0], (face[2] * window.scale, face[3] * window.scale)
    return Glance(small, (float(x), float(y), w, h), None if code is None else window.shown(code))
