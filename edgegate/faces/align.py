"""Turns and scales a face so that its five points lie where the recogniser was taught to expect them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.model import Image, Vector
from edgegate.ports import Face

NORM_PX = 112
ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Eyes, nose and mouth corners in a 112 x 112 crop (x, y); as in insightface's `arcface_dst`."""


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The turn, scale and shift, (2, 3), that takes `source` (n, 2) closest to `target` (n, 2) in least squares.

    Umeyama, IEEE PAMI 13(4), 1991, equations 38-43. A mirror image is never the answer.
    """
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    from_centred, to_centred = source - from_mean, target - to_mean
    u, d, vt = np.linalg.svd(to_centred.T @ from_centred / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    variance = from_centred.var(axis=0).sum()
    linear = (u * sign) @ vt * ((d * sign).sum() / variance if variance > 0 else 0.0)
    return np.column_stack([linear, to_mean - linear @ from_mean])


def norm_crop(image: Image, points: Vector, size: int = NORM_PX) -> Image:
    """The face as a (size, size, 3) picture."""
    move = similarity(np.asarray(points, np.float64), ARCFACE_POINTS * (size / NORM_PX))
    return np.asarray(cv2.warpAffine(image, move, (size, size)), np.uint8)


def mirrored(image: Image, face: Face) -> tuple[Image, Face]:
    """The picture and the face in it as a mirror shows them; left and right stay the viewer's."""
    width = image.shape[1]
    x, y, w, h = face.box
    points = None if face.points is None else _turned(face.points, width)
    return np.ascontiguousarray(image[:, ::-1]), Face((width - x - w, y, w, h), face.score, points)


def _turned(points: Vector, width: int) -> Vector:
    there = points[[1, 0, 2, 4, 3]].copy()
    there[:, 0] = width - 1 - there[:, 0]
    return there
