"""What a camera of 1280 x 720 might see of one person within three seconds, made of one photograph.

A picture turned, shifted and scaled a little anew in each frame, under one condition. It is one photograph in all of
them: pose, expression and age never change, so these sequences say how the comparison bears a bad picture, and nothing
of how it bears a face that has changed. The same seed gives the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.model import Image

WIDTH, HEIGHT = 1280, 720
NEAR_PX = (120.0, 170.0)
"""Width of a face at a gate."""
FAR_PX = (60.0, 80.0)
SIDE = 480
"""Of the square part of a frame in which things happen; the rest is wall."""
LEFT, TOP = (WIDTH - SIDE) // 2, (HEIGHT - SIDE) // 2
WALL = 170
WHITE_ELECTRONS = 2000
"""What a small sensor's pixel holds in full light."""

Linear = NDArray[np.float32]
"""A picture in linear light, 0 to 1."""
Dice = np.random.Generator
Disturbance = Callable[[Linear, float, Dice, Dice], Linear]
"""Of a picture with a face so many pixels wide; the first dice are the sequence's, the second the frame's."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How far the person is, what happens to the light, and the JPEG quality of the camera."""

    name: str
    disturb: Disturbance
    face_px: tuple[float, float] = NEAR_PX
    jpeg: tuple[int, int] = (85, 95)


def _plain(light: Linear, width: float, sequence: Dice, frame: Dice) -> Linear:
    return light


def _motion(light: Linear, width: float, sequence: Dice, frame: Dice) -> Linear:
    """Along a line of 5 to 20 % of the face's width."""
    length = width * frame.uniform(0.05, 0.2)
    angle = frame.uniform(0, np.pi)
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float64)
    for step in np.linspace(-length / 2, length / 2, 8 * half):
        kernel[half + round(step * np.sin(angle)), half + round(step * np.cos(angle))] += 1
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)


def _defocus(light: Linear, width: float, sequence: Dice, frame: Dice) -> Linear:
    """Gaussian, of 1.5 to 3.5 % of the face's width, about the same in all frames."""
    sigma = width * sequence.uniform(0.015, 0.035) * frame.uniform(0.8, 1.2)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)


def _dark(light: Linear, width: float, sequence: Dice, frame: Dice) -> Linear:
    """A tenth of the light, more or less: the noise of few photons."""
    return light * np.float32(sequence.uniform(0.06, 0.15))


def _back_light(light: Linear, width: float, sequence: Dice, frame: Dice) -> Linear:
    """A window behind: the face in its shadow, and the lens's glare over it."""
    return light * np.float32(sequence.uniform(0.1, 0.2)) + np.float32(sequence.uniform(0.06, 0.12))


CONDITIONS = (
    Condition("plain", _plain),
    Condition("motion", _motion),
    Condition("defocus", _defocus),
    Condition("dark", _dark),
    Condition("back-light", _back_light),
    Condition("distance", _plain, face_px=FAR_PX),
    Condition("JPEG", _plain, jpeg=(8, 20)),
)


def sequence(
    photo: Image, box: tuple[float, float, float, float], condition: Condition, frames: int, seed: tuple[int, ...]
) -> Iterator[Image]:
    """Frames of the person whose face fills `box` (x, y, width, height) of `photo`."""
    dice = np.random.default_rng(seed)
    width, turn = dice.uniform(*condition.face_px), dice.normal(0, 3)
    place = SIDE / 2 + dice.normal(0, 25, 2)
    state = dice.integers(1 << 30)
    for number in range(frames):
        frame = np.random.default_rng((*seed, number))
        here = width * frame.uniform(0.96, 1.04)
        light = _placed(photo, box, here, turn + frame.normal(0, 2.5), place + frame.normal(0, 6, 2))
        light = condition.disturb(light, here, np.random.default_rng(state), frame)
        yield _exposed(light, int(frame.integers(*condition.jpeg)), frame)


def _placed(
    photo: Image, box: tuple[float, float, float, float], width: float, degrees: float, place: NDArray[np.float64]
) -> Linear:
    """The photograph before a wall, its face so wide, turned, and centred at `place`."""
    x, y, w, h = box
    scale = width / w
    source = photo if scale >= 1 else cv2.GaussianBlur(photo, (0, 0), 0.4 / scale)
    move = np.asarray(cv2.getRotationMatrix2D((x + w / 2, y + h / 2), degrees, scale), np.float64)
    move[:, 2] += place - (x + w / 2, y + h / 2)
    view = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    cv2.warpAffine(source, move, (SIDE, SIDE), view, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    return _LINEAR[view]


_LINEAR: Linear = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
_GAMMA = np.round(np.linspace(0, 1, 4096) ** (1 / 2.2) * 255).astype(np.uint8)


def _exposed(light: Linear, jpeg: int, dice: Dice) -> Image:
    """As a small sensor and its JPEG give it: photon noise, two electrons of read-out noise, gamma."""
    electrons = np.asarray(light * np.float32(WHITE_ELECTRONS), np.float32)
    noise = dice.standard_normal(light.shape, np.float32) * np.sqrt(electrons + np.float32(4))
    levels = (electrons + noise) * np.float32((len(_GAMMA) - 1) / WHITE_ELECTRONS)
    view = _GAMMA[np.clip(levels, 0, len(_GAMMA) - 1).astype(np.int32)]
    picture = np.full((HEIGHT, WIDTH, 3), WALL, np.uint8)
    picture[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = view
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
