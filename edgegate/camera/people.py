"""Faces for the simulated camera, out of pictures that the dependencies carry. None is in this repository.

scikit-image carries a portrait of an astronaut (NASA, public domain), insightface a group of six people.
The packages are not imported for it: only their files are read.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from edgegate.errors import EdgeGateError
from edgegate.images import read_image
from edgegate.model import Image

FACE_PX = 230
"""Width of a face in the simulated picture: a student at arm's length from a 720p camera."""

_ASTRONAUT = ("skimage", "data/astronaut.png")
_GROUP = ("insightface", "data/images/t1.jpg")
_PEOPLE: dict[str, tuple[tuple[str, str], tuple[int, int, int, int]]] = {
    "astronaut": (_ASTRONAUT, (180, 60, 91, 119)),
    "group-1": (_GROUP, (745, 342, 102, 138)),
    "group-2": (_GROUP, (463, 266, 109, 149)),
    "group-3": (_GROUP, (55, 260, 113, 137)),
    "group-4": (_GROUP, (906, 59, 105, 147)),
    "group-5": (_GROUP, (1130, 272, 97, 128)),
    "group-6": (_GROUP, (270, 144, 101, 126)),
}
"""Name to file and face box (x, y, width, height), as SCRFD finds them."""

NAMES = tuple(_PEOPLE)


@cache
def portrait(name: str) -> Image:
    """Head and shoulders of one of `NAMES`."""
    (package, file), box = _PEOPLE[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EdgeGateError(f"the package {package} is not installed", where="demo", next="run `make venv`")
    return cut_out(read_image(Path(spec.origin).parent / file), box)


def cut_out(image: Image, box: tuple[float, float, float, float]) -> Image:
    """The surroundings of a face box, scaled so that the face is FACE_PX wide."""
    x, y, width, height = box
    left, right = x - 0.65 * width, x + 1.65 * width
    top, bottom = y - 0.55 * height, y + 1.6 * height
    scale = FACE_PX / width
    size = (round((right - left) * scale), round((bottom - top) * scale))
    move = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float64)
    picture = cv2.warpAffine(image, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8)
