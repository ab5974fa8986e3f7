"""What can be measured of a face before it is compared: each a number, none a judgement (`faces.quality` judges)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.faces.align import NORM_PX, norm_crop
from edgegate.images import grey
from edgegate.memory import Wiped
from edgegate.model import Image
from edgegate.ports import Face

SMOOTH_PX = 1.0
ASPECT = 0.73
"""Width of a face box against its height: the median of SCRFD and YuNet on 783 photographs is 0.72 and 0.75."""
EDGE = 0.04
"""A box that ends within this share of its width of the picture's edge ends at the edge."""
BURNT = 250
"""Grey levels from here on hold no detail any more."""
_MIDDLE = slice(28, 84)
"""Of the face box at 112 x 112: the middle half, which is skin, without hair, collar and what is behind."""
_MOUTH = (slice(80, 108), slice(44, 68))
_FACE = (slice(30, 106), slice(26, 86))
"""Of the aligned face at 112 x 112, rows and columns: the mouth with the skin above and below it; the whole face."""


@dataclass(frozen=True, slots=True)
class Light:
    """Of the face box in grey, scaled to 112 x 112."""

    sharpness: float
    """See `sharpness`."""
    spread: float
    """Standard deviation of the grey levels."""
    highlight: float
    """Grey level that one pixel in ten of the middle half exceeds. Not the mean: dark skin has highlights as light skin
    has, a face without light has none."""
    burnt: float
    """Share of the middle half at the white end of the scale."""


@dataclass(frozen=True, slots=True)
class Pose:
    """From the five points, in the face's own axes; 0.5 is no unit of angle, but grows with it."""

    yaw: float
    """How far the nose is from the middle of eyes and mouth, in distances between the eyes; positive to the right."""
    pitch: float
    """Where the nose is between eyes (0) and mouth (1): small when the face looks up, large when it looks down."""
    nose: float
    """Where the nose is between the box's upper edge (0) and its lower one (1): the same, seen otherwise."""
    roll: float
    """Slope of the line through the eyes, in degrees, -180 to 180; positive clockwise."""


def light(image: Image, face: Face) -> Light:
    """Zeros for a box outside the picture."""
    left, top, right, bottom = inside(image, face)
    if left >= right or top >= bottom:
        return Light(0.0, 0.0, 0.0, 0.0)
    with Wiped() as wiped:
        crop = wiped(grey(image[top:bottom, left:right]))
        scaled = wiped(cv2.resize(crop, (NORM_PX, NORM_PX), interpolation=cv2.INTER_AREA))
        smooth = wiped(cv2.GaussianBlur(wiped(scaled.astype(np.float32)), (0, 0), SMOOTH_PX))
        laplacian = wiped(cv2.Laplacian(smooth, cv2.CV_32F))
        middle = wiped(np.ascontiguousarray(scaled[_MIDDLE, _MIDDLE]))
        counts = np.cumsum(cv2.calcHist([middle], [0], None, [256], [0, 256]))
        return Light(
            sharpness=_deviation(laplacian) ** 2,
            spread=_deviation(scaled),
            highlight=float(np.searchsorted(counts, 0.9 * counts[-1])),
            burnt=float((counts[-1] - counts[BURNT - 1]) / counts[-1]),
        )


def sharpness(image: Image, face: Face) -> float:
    """Variance of the Laplacian over the face box: grey, scaled to 112 x 112, smoothed by one pixel (grey levels
    squared).

    Without the smoothing a sensor's noise counts as sharpness: it added 23 % on photographs and lifted a bare wall
    above a blurred face; with it, 1 %. On 262 photographs (LFW and five people): 7 at the least, 9 at the first
    percentile, 25 at the median; blurred by two pixels of the 112 8 at the median, by three 4; a photograph out of
    focus 3.
    """
    return light(image, face).sharpness


def pose(face: Face) -> Pose | None:
    """None without five finite points and a box, or where both eyes, or eyes and mouth, are one point."""
    if face.points is None or face.points.shape != (5, 2) or not np.isfinite(face.points).all() or face.box[3] <= 0:
        return None
    left_eye, right_eye, nose, left_mouth, right_mouth = (
        (float(x), float(y)) for x, y in np.asarray(face.points, np.float64)
    )
    across = (right_eye[0] - left_eye[0], right_eye[1] - left_eye[1])
    distance = math.hypot(*across)
    if distance <= 0:
        return None
    right = (across[0] / distance, across[1] / distance)
    eyes = ((left_eye[0] + right_eye[0]) / 2, (left_eye[1] + right_eye[1]) / 2)
    mouth = ((left_mouth[0] + right_mouth[0]) / 2, (left_mouth[1] + right_mouth[1]) / 2)
    middle = ((eyes[0] + mouth[0]) / 2, (eyes[1] + mouth[1]) / 2)
    length = (mouth[1] - eyes[1]) * right[0] - (mouth[0] - eyes[0]) * right[1]
    if length == 0:
        return None
    return Pose(
        yaw=((nose[0] - middle[0]) * right[0] + (nose[1] - middle[1]) * right[1]) / distance,
        pitch=((nose[1] - eyes[1]) * right[0] - (nose[0] - eyes[0]) * right[1]) / length,
        nose=(nose[1] - face.box[1]) / face.box[3],
        roll=math.degrees(math.atan2(across[1], across[0])),
    )


def mouth(image: Image, face: Face) -> float | None:
    """How much the rows about the mouth differ from each other, against the contrast of the whole face; None without
    points.

    Lips and the shadows above and below them are dark and light lines across; a mask has none. Grey levels only, so
    that neither skin, nor beard, nor the light's colour counts.
    """
    if face.points is None:
        return None
    with Wiped() as wiped:
        aligned = wiped(grey(wiped(norm_crop(image, face.points))))
        rows = wiped(cv2.reduce(wiped(aligned[_MOUTH].astype(np.float32)), 1, cv2.REDUCE_AVG))
        return _deviation(rows) / (1.0 + _deviation(aligned[_FACE]))


def missing(image: Image, face: Face) -> float:
    """Share of the face's width or height that is outside the picture, as far as its box tells.

    A detector with points ends its box at the picture's edge, or little beyond; then the box is too narrow, or too
    flat, for a face. A box without points is a square, which says nothing of that.
    """
    left, top, right, bottom = inside(image, face)
    x, y, w, h = face.box
    if left >= right or top >= bottom:
        return 1.0
    outside = max(1.0 - (right - left) / w, 1.0 - (bottom - top) / h)
    if face.points is None:
        return max(0.0, outside)
    height, width = image.shape[:2]
    slack = EDGE * w
    if x < slack or x + w > width - slack:
        outside = max(outside, 1.0 - (right - left) / (ASPECT * h))
    if y < slack or y + h > height - slack:
        outside = max(outside, 1.0 - (bottom - top) / (w / ASPECT))
    return max(0.0, outside)


def inside(image: Image, face: Face) -> tuple[int, int, int, int]:
    """The part of the box that is in the picture: left, top, right, bottom; empty when none of it is."""
    height, width = image.shape[:2]
    x, y, w, h = face.box
    if not all(map(math.isfinite, face.box)):
        return 0, 0, 0, 0
    left, top = min(width, max(0, round(x))), min(height, max(0, round(y)))
    return left, top, min(width, max(left, round(x + w))), min(height, max(top, round(y + h)))


def _deviation(values: NDArray[Any]) -> float:
    """Without the copies of the picture that numpy's own makes, which nobody would wipe."""
    return float(cv2.meanStdDev(values)[1][0, 0])
