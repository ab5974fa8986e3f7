"""Sharpness: what it must see, and what must not fool it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgegate.camera.people import NAMES, portrait
from edgegate.camera.scripted import Sensor
from edgegate.faces.measures import sharpness
from edgegate.faces.quality import ENROLMENT, GATE
from edgegate.model import Image
from edgegate.ports import Face


def of(image: Image) -> float:
    """Sharpness of the middle of a portrait, where the face is."""
    height, width = image.shape[:2]
    return sharpness(image, Face((0.25 * width, 0.2 * height, 0.5 * width, 0.5 * height), 1.0))


@pytest.mark.parametrize("name", NAMES)
def test_a_sharp_face_is_sharp_enough_and_noise_adds_little(name: str) -> None:
    """A camera's noise is no sharpness: it moves the measure by less than a tenth."""
    clean = portrait(name)
    noisy = Sensor(np.random.default_rng(0)).expose(clean)

    assert of(clean) > ENROLMENT.sharpness
    assert of(clean) == pytest.approx(of(noisy), rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_a_blurred_face_does_not_pass_for_sharp_behind_noise(name: str) -> None:
    """Out of focus, with the sensor's noise on top: too blurred for the gate, and for enrolment all the more."""
    blurred = np.asarray(cv2.GaussianBlur(portrait(name), (0, 0), 12), np.uint8)

    assert of(Sensor(np.random.default_rng(0)).expose(blurred)) < GATE.sharpness


def test_a_bare_wall_is_not_sharp() -> None:
    """Noise alone is nothing to compare."""
    wall = np.full((300, 300, 3), 150, np.uint8)

    assert sharpness(Sensor(np.random.default_rng(0)).expose(wall), Face((0, 0, 300, 300), 1.0)) < GATE.sharpness


def test_a_box_outside_the_picture_has_no_sharpness() -> None:
    """A detector may answer with a box beyond the edge."""
    assert 0.0 == sharpness(np.zeros((50, 50, 3), np.uint8), Face((80, 80, 20, 20), 1.0))
