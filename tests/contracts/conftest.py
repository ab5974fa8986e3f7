"""The face engines, each loaded once, with people whom it can tell apart and pictures of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate.camera.people import NAMES, portrait
from edgegate.camera.scene import PLACES, Scene, compose
from edgegate.faces.catalogue import embedded
from edgegate.faces.fake_engine import FAKE_PACK, PEOPLE, FakeEngine, draw_face
from edgegate.faces.look import CountedEngine
from edgegate.faces.pack import Pack, load
from edgegate.model import Image, Vector
from edgegate.ports import FaceEngine

WIDTH, HEIGHT = 1280, 720
TARGET_FMR = 1e-4
SITTERS = tuple(name for name in NAMES if name != "group-4")
"""Those who look at the camera; one of the six looks aside."""


@dataclass(frozen=True)
class Bench:
    """An engine, the pack it runs, and what a camera shows of people it knows."""

    engine: FaceEngine
    pack: Pack
    people: tuple[str, ...]
    picture: Callable[[tuple[str, ...], int], Image]
    """Those people side by side, alike in size; each seed is another rendition. At most two, or nobody."""
    spoil: Callable[[Image], Image]
    """The same picture, its face still found but not fit to compare."""
    _known: dict[str, Vector] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        return self.pack.threshold(TARGET_FMR)

    @property
    def middle(self) -> tuple[float, float]:
        """Where the face of a person who stands alone is, give or take an eighth of the height."""
        return PLACES[1][0] * WIDTH, 0.47 * HEIGHT

    def vector(self, person: str, seed: int) -> Vector:
        """The embedding of one rendition of a person."""
        image = self.picture((person,), seed)
        return self.engine.embed(image, self.engine.detect(image)[0])

    def reference(self, person: str) -> Vector:
        """A copy of the embedding of a person's first rendition, computed once."""
        if person not in self._known:
            self._known[person] = self.vector(person, 1)
        return self._known[person].copy()


@cache
def _photograph(people: tuple[str, ...], seed: int) -> Image:
    """Faces that the dependencies carry, re-lit, turned, blurred and noised."""
    scene = Scene(tuple(portrait(person) for person in people))
    return compose(scene, WIDTH, HEIGHT, np.random.default_rng(seed))


def _squares(people: tuple[str, ...], seed: int) -> Image:
    """The fake engine's people, a little elsewhere and another size with each seed."""
    dice = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), 170, np.uint8)
    for person, place in zip(people, PLACES.get(len(people), ()), strict=True):
        width = 220 + int(dice.integers(-10, 10))
        draw_face(image, person, round(place * WIDTH) - width // 2, round(0.47 * HEIGHT) - width // 2, width)
    return image


def _blurred(image: Image, pixels: float = 9) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), pixels), np.uint8)


def _far(image: Image) -> Image:
    """Seen from so far that a square is 50 pixels wide."""
    small = cv2.resize(image, None, fx=50 / 220, fy=50 / 220, interpolation=cv2.INTER_NEAREST)
    picture = np.full_like(image, 170)
    picture[: small.shape[0], : small.shape[1]] = small
    return picture


def _fake() -> Bench:
    return Bench(FakeEngine(), FAKE_PACK, tuple(PEOPLE), _squares, _far)


def _counted() -> Bench:
    return Bench(CountedEngine(FakeEngine()), FAKE_PACK, tuple(PEOPLE), _squares, _far)


def _dlib() -> Bench:
    from edgegate.faces.dlib_engine import DlibEngine

    pack = embedded()
    return Bench(DlibEngine(pack), pack, SITTERS, _photograph, partial(_blurred, pixels=7))  # finds none at 9


def _insightface(shared: Path) -> Bench:
    from edgegate.faces.insightface_engine import InsightfaceEngine

    pack = load(shared / "models" / "scrfd-mobileface")
    pack.verify()
    return Bench(InsightfaceEngine(pack), pack, SITTERS, _photograph, _blurred)


def _opencv(shared: Path) -> Bench:
    from edgegate.faces.opencv_engine import OpencvEngine

    pack = load(shared / "models" / "yunet-mobilefacenet")
    return Bench(OpencvEngine(pack), pack, SITTERS, _photograph, _blurred)


_BENCHES = {"fake": _fake, "counted": _counted, "dlib": _dlib}

_SHARED = {"insightface": _insightface, "opencv": _opencv}


@pytest.fixture(scope="session", params=[*_BENCHES, *_SHARED])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Every face engine; the weights of some lie outside the dependencies."""
    if request.param in _SHARED:
        return _SHARED[request.param](request.getfixturevalue("shared"))
    return _BENCHES[request.param]()
