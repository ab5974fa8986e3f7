"""Composes what stands before the camera: faces and a badge, re-lit, turned, out of focus by a little.

The sensor's noise comes on top (`camera.scripted.Sensor`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.model import Image

BADGE_PX = 300
PLACES = {1: (0.36,), 2: (0.2, 0.5)}
"""Where faces stand: share of the picture's width."""

Holding: TypeAlias = Literal["card", "phone"]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Who stands there, and what is held up."""

    portraits: tuple[Image, ...] = ()
    badge: Image | None = None
    holding: Holding = "card"


def compose(scene: Scene, width: int, height: int, random: np.random.Generator) -> Image:
    """One picture, (height, width, 3) BGR. Every call gives another light, pose and focus."""
    scale = height / 720
    picture = _hall(width, height).copy()
    for portrait, place in zip(scene.portraits, PLACES.get(len(scene.portraits), ()), strict=False):
        middle = (place * width + random.normal(0, 3), 0.47 * height + random.normal(0, 3))
        size = scale * (0.8 if len(scene.portraits) > 1 else 1.0) * random.normal(1.0, 0.015)
        _paste(picture, _relit(portrait, random), middle, size, random.normal(0, 3), soft=True)
    if scene.badge is not None:
        held = _card(scene.badge) if scene.holding == "card" else _phone(scene.badge)
        middle = (0.78 * width + random.normal(0, 4), 0.62 * height + random.normal(0, 4))
        _paste(picture, held, middle, scale * random.normal(1.0, 0.02), random.normal(0, 4), soft=False)
    blurred = cv2.GaussianBlur(picture, (0, 0), float(random.uniform(0.4, 0.9)))
    return np.asarray(cv2.convertScaleAbs(blurred, alpha=float(random.uniform(0.88, 1.08))), np.uint8)


@cache
def _hall(width: int, height: int) -> Image:
    """An empty entrance: a wall, a floor, a door frame."""
    picture = np.empty((height, width, 3), np.uint8)
    wall = np.linspace(196, 150, height)[:, None]
    picture[:] = np.stack([wall * 1.0, wall * 0.99, wall * 0.95], axis=-1)
    cv2.rectangle(picture, (0, int(0.86 * height)), (width, height), (96, 104, 112), -1)
    cv2.rectangle(
        picture, (int(0.04 * width), int(0.08 * height)), (int(0.07 * width), int(0.86 * height)), (120, 110, 96), -1
    )
    return picture


def _relit(portrait: Image, random: np.random.Generator) -> Image:
    """Light from one side."""
    left, right = random.uniform(0.85, 1.1, 2)
    slope = np.linspace(left, right, portrait.shape[1])[None, :, None]
    return np.asarray(np.clip(portrait * slope, 0, 255), np.uint8)


def _paste(
    picture: Image, patch: Image, middle: tuple[float, float], scale: float, degrees: float, *, soft: bool
) -> None:
    """Put a patch onto the picture, turned and scaled about `middle`; soft edges for a person."""
    height, width = patch.shape[:2]
    # Only the square around the patch is touched: the whole picture would cost ten times as much.
    reach = math.ceil(math.hypot(width, height) * scale / 2)
    left, top = max(0, round(middle[0]) - reach), max(0, round(middle[1]) - reach)
    region = picture[top : round(middle[1]) + reach, left : round(middle[0]) + reach]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    turn[:, 2] += (middle[0] - left - width / 2, middle[1] - top - height / 2)
    size = (region.shape[1], region.shape[0])
    weight = cv2.warpAffine(_mask(width, height, soft), turn, size)[:, :, None]
    region[:] = np.asarray(region * (1 - weight) + cv2.warpAffine(patch, turn, size) * weight, np.uint8)


@cache
def _mask(width: int, height: int, soft: bool) -> NDArray[np.float32]:
    if not soft:
        return np.ones((height, width), np.float32)
    mask: NDArray[np.float32] = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (width // 2, height // 2), (int(0.46 * width), int(0.48 * height)), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.03 * width), np.float32)


def _card(badge: Image) -> Image:
    """A printed card with the code on it."""
    code = cv2.resize(badge, (BADGE_PX, BADGE_PX), interpolation=cv2.INTER_AREA)
    card = np.full((BADGE_PX + 90, BADGE_PX + 40, 3), 250, np.uint8)
    card[20 : 20 + BADGE_PX, 20 : 20 + BADGE_PX] = code
    cv2.rectangle(card, (40, BADGE_PX + 38), (BADGE_PX, BADGE_PX + 58), (90, 90, 90), -1)
    cv2.rectangle(card, (0, 0), (card.shape[1] - 1, card.shape[0] - 1), (150, 120, 60), 6)
    return card


def _phone(badge: Image) -> Image:
    """A phone that shows the code on its screen, a little brighter than paper."""
    code = cv2.resize(badge, (BADGE_PX, BADGE_PX), interpolation=cv2.INTER_AREA)
    phone = np.full((BADGE_PX + 200, BADGE_PX + 36, 3), 24, np.uint8)
    phone[40:-40, 12:-12] = 255
    phone[100 : 100 + BADGE_PX, 18 : 18 + BADGE_PX] = np.clip(code.astype(np.int16) + 14, 0, 255)
    return phone
