"""`camera_dark`: a black or covered lens is told from an entrance that is merely empty, plain or dim."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate.camera.dark import BLACK, DIM, Light, light
from edgegate.camera.people import NAMES, portrait
from edgegate.camera.scene import Scene, compose
from edgegate.camera.scripted import NOISE, Sensor
from edgegate.model import Image
from tests.conftest import blank

SENSOR = Sensor(np.random.default_rng(7))


def exposed(image: Image, *, mean: float | None = None, gain: float = 1.0) -> Image:
    """The picture as a sensor gives it, dimmed to a mean; `gain` multiplies the sensor's noise."""
    dimmed = image if mean is None else cv2.convertScaleAbs(image, alpha=mean / float(image.mean()))
    if gain == 1.0:
        return SENSOR.expose(np.asarray(dimmed, np.uint8))
    noise = np.random.default_rng(7).normal(0, NOISE * gain, image.shape[:2])[:, :, None]
    return np.asarray((dimmed + noise).clip(0, 255), np.uint8)


def lens_covered(kind: str, level: float) -> Image:
    """720p through a hand, tape or a cap: what light gets in has no structure, or comes from one side a little."""
    picture = np.full((720, 1280, 3), level, np.float32)
    if kind == "hand":
        picture += np.linspace(-0.15 * level, 0.15 * level, 1280, dtype=np.float32)[None, :, None]
        picture[:, :, :2] *= 0.6
    return np.asarray(picture.clip(0, 255), np.uint8)


@pytest.mark.parametrize("gain", [1.0, 8.0])
@pytest.mark.parametrize(("kind", "level"), [("cap", 0), ("cap", 6), ("tape", 18), ("tape", 45), ("hand", 30)])
def test_a_covered_lens_is_dark(kind: str, level: float, gain: float) -> None:
    """Black, or dim without structure, also in the noise of a sensor at full gain."""
    figures = light(exposed(lens_covered(kind, level), gain=gain))
    assert figures.dark, figures


def test_a_bright_empty_wall_is_not() -> None:
    """The empty entrance of the scenarios: plain, but bright."""
    figures = light(exposed(blank(1280, 720)))
    assert not figures.dark, figures
    assert figures.spread < 1


@pytest.mark.parametrize("mean", [160, 80, 40, 30])
@pytest.mark.parametrize("who", ["nobody", *NAMES])
def test_a_dim_entrance_is_not(who: str, mean: float) -> None:
    """The hall of the simulated camera on a winter evening, empty or with somebody in it."""
    people = () if who == "nobody" else (portrait(who),)
    figures = light(exposed(compose(Scene(people), 1280, 720, np.random.default_rng(1)), mean=mean))
    assert not figures.dark, figures


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (1920, 1080)])
def test_the_figures_do_not_depend_on_the_size(size: tuple[int, int]) -> None:
    """One set of limits serves every camera."""
    hall = compose(Scene(), 1280, 720, np.random.default_rng(1))
    expected = light(exposed(hall, mean=40))
    figures = light(exposed(np.asarray(cv2.resize(hall, size, interpolation=cv2.INTER_AREA), np.uint8), mean=40))
    assert abs(expected.mean - figures.mean) < 2
    assert abs(expected.spread - figures.spread) < 1


def test_photographs_in_the_dark(shared: Path) -> None:
    """Portraits count as a scene for as long as a detector finds faces in them, and as dark when it finds none."""
    files = sorted((shared / "faces" / "lfw-dev").glob("*/*.jpg"))[:60]
    assert len(files) == 60

    def dark(mean: float) -> int:
        return sum(light(exposed(photo, mean=mean)).dark for photo in photos)

    photos = [
        np.asarray(cv2.resize(cv2.imread(str(file)), (640, 640)), np.uint8)  # type: ignore[arg-type]
        for file in files
    ]
    assert [0, 0, 0] == [dark(mean) for mean in (100, 40, 20)]
    assert [60, 60] == [dark(mean) for mean in (6, 3)]


def test_the_limits() -> None:
    """Black whatever there is to see; covered only when dim and plain."""
    expected = {
        (BLACK - 1, 50.0): True,
        (BLACK + 1, 50.0): False,
        (DIM - 1, 1.0): True,
        (DIM + 1, 1.0): False,
        (DIM - 1, 10.0): False,
    }
    assert expected == {figures: Light(*figures).dark for figures in expected}
