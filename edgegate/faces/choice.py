"""Which of the faces in a picture stands at the badge: the nearest, unless another is about as near."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgegate.model import Image
from edgegate.ports import Face


@dataclass(frozen=True, slots=True)
class Rule:
    """When a second face makes it uncertain who is meant."""

    rival: float
    """A face at least this near, against the nearest, is a rival."""
    centring: float
    """How much a face loses by being off the middle: this share for each width of the picture."""


GATE = Rule(rival=0.7, centring=0.5)
"""Two faces of one size are rivals wherever they are: half a picture off the middle costs a quarter, and 0.75 > 0.7."""
ENROLMENT = Rule(rival=0.5, centring=1.0)
"""A portrait has its person in the middle, and somebody who took it beside it."""

MOVE = 0.75
"""Of a face's own width: farther in one look, and it is another face."""
GROW = 0.6
"""A face this much narrower than the look before, or wider, is another one."""


def chosen(faces: Sequence[Face], image: Image, rule: Rule) -> Face | None:
    """The face that is meant; None where a second one is as wide, or nearly as near. `faces` must not be empty."""
    nearness = {id(face): near(face, image, rule.centring) for face in faces}
    first, *others = sorted(faces, key=lambda face: -nearness[id(face)])
    bound = rule.rival * nearness[id(first)]
    if any(nearness[id(face)] >= bound or face.width >= first.width for face in others):
        return None
    return first


def near(face: Face, image: Image, centring: float) -> float:
    """How near a face is, as a width in pixels: its own, less what it loses off the middle. 0 for no box at all."""
    if not all(map(math.isfinite, face.box)):
        return 0.0
    height, width = image.shape[:2]
    x, y, w, h = face.box
    off = math.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2) / width
    return float(max(0.0, w * (1.0 - centring * off)))


def same_place(before: Face, after: Face) -> bool:
    """Can this be one person in two looks, one after the other? Nobody moves by the width of their own face between
    them, nor comes so much nearer."""
    (x, y, w, h), (u, v, p, q) = before.box, after.box
    wide = max(w, p)
    moved = math.hypot(x + w / 2 - u - p / 2, y + h / 2 - v - q / 2)
    return moved < MOVE * wide and min(w, p) > GROW * wide
