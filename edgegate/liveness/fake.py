"""The fake engine: a face with a cyan screen around it is an attack, as far as the screen goes around it.

For scenarios, beside the faces' own fake engine. It is used only where a configuration says `fake`.
"""

from __future__ import annotations

import cv2
import numpy as np

from edgegate.model import Image
from edgegate.ports import Face

NAME = "fake"
SCREEN_COLOUR = (255, 255, 0)
BEZEL_PX = 8


def draw_screen(image: Image, x: int, y: int, width: int, height: int | None = None) -> None:
    """Paint a screen's border around the box of a face, into a BGR picture; before the face is painted."""
    far = (x + width - 1 + BEZEL_PX, y + (height or width) - 1 + BEZEL_PX)
    cv2.rectangle(image, (x - BEZEL_PX, y - BEZEL_PX), far, SCREEN_COLOUR, -1)


class FakeLivenessEngine:
    """Port `LivenessEngine` over such screens: 1 minus the share of the face's border that is one."""

    name = NAME
    live_at, spoof_below = 0.8, 0.2
    needs_points = False

    def score(self, image: Image, face: Face) -> float | None:
        x, y, width, height = (round(value) for value in face.box)
        reach = BEZEL_PX // 2
        left, top, right, bottom = x - reach, y - reach, x + width - 1 + reach, y + height - 1 + reach
        if left < 0 or top < 0 or right >= image.shape[1] or bottom >= image.shape[0]:
            return None
        border = np.concatenate(
            [
                image[top, left : right + 1],
                image[bottom, left : right + 1],
                image[top : bottom + 1, left],
                image[top : bottom + 1, right],
            ]
        ).astype(np.int16)
        blue, green, red = border.T
        return 1.0 - float(np.mean((blue > 180) & (green > 180) & (red < 90)))
