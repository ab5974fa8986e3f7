"""The aligned crop: its light, and its mirror image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgegate.faces.align import ARCFACE_POINTS, NORM_PX, norm_crop
from edgegate.faces.exposure import LEAST_CONTRAST, relit
from edgegate.images import grey
from edgegate.model import Image


def crop(contrast: float, mean: float = 100.0) -> Image:
    """Soft spots in colour, of such a standard deviation in grey."""
    dice = np.random.default_rng(3)
    spots = cv2.GaussianBlur(dice.normal(size=(NORM_PX, NORM_PX, 3)), (0, 0), 4)
    grey_spots = cv2.cvtColor(spots.astype(np.float32), cv2.COLOR_BGR2GRAY)
    return np.asarray(np.clip(mean + spots * contrast / grey_spots.std(), 0, 255), np.uint8)


def contrast(picture: Image) -> float:
    return float(grey(picture).std())


@pytest.mark.parametrize("spread", [LEAST_CONTRAST + 5, 50.0])
def test_a_face_in_good_light_stays_as_it_is(spread: float) -> None:
    """Number for number, on memory of its own: the crop is wiped."""
    before = crop(spread)
    after = relit(before)
    assert np.array_equal(before, after)
    assert not np.shares_memory(before, after)


@pytest.mark.parametrize("mean", [30.0, 100.0, 180.0])
def test_a_flat_face_gets_contrast(mean: float) -> None:
    """Behind glare or in the dark: the same face, spread about the middle of the scale."""
    good, flat = crop(45.0, 120.0), crop(9.0, mean)
    after = relit(flat)
    assert 35 < contrast(after) < 60
    assert abs(float(after.mean()) - float(good.mean())) < 20
    assert np.corrcoef(grey(good).ravel(), grey(after).ravel())[0, 1] > 0.97


def test_nothing_is_made_of_nothing() -> None:
    """One grey level stays one; noise is not lifted without bound."""
    wall = np.full((NORM_PX, NORM_PX, 3), 90, np.uint8)
    assert np.array_equal(wall, relit(wall))
    assert contrast(relit(crop(0.8))) < 10


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_the_five_points_come_to_their_places(scale: float) -> None:
    """Turned, scaled and shifted, they lie in the crop where the recogniser expects them."""
    turn = cv2.getRotationMatrix2D((0, 0), 20, scale)
    points = ARCFACE_POINTS @ turn[:, :2].T + (400, 300)
    picture = np.zeros((900, 1100, 3), np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), max(2, round(3 * scale)), (255, 255, 255), -1)
    found = grey(norm_crop(picture, points.astype(np.float32)))
    assert all(found[round(y), round(x)] > 128 for x, y in ARCFACE_POINTS)
