"""What these tests share: embeddings out of thin air, folders of the fake engine's people, slow ways to count."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.embed import Embeddings
from edgegate.calibration.evaluate import Report
from edgegate.calibration.measure import measure
from edgegate.calibration.problems import Problem
from edgegate.faces.comparison import Comparison
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.faces.pack import Pack
from edgegate.model import Image, Template, Unsealed
from edgegate.ports import FaceEngine


def load_fake(pack: Pack) -> FaceEngine:
    """The engine of the pack `fake`."""
    assert pack == FAKE_PACK
    return FakeEngine()


def square(person: str, *, shade: int = 170, size: int = 300) -> Image:
    """A picture of one of the fake engine's people; no two shades are the same picture."""
    picture = np.full((size, size, 3), shade, np.uint8)
    draw_face(picture, person, 50, 50, 200)
    return picture


def album(folder: Path, **pictures: int) -> Path:
    """A folder with so many pictures of each person: NAME/1.png and on."""
    for person, count in pictures.items():
        (folder / person).mkdir(parents=True)
        for number in range(1, count + 1):
            cv2.imwrite(str(folder / person / f"{number}.png"), square(person, shade=150 + number))
    return folder


def embeddings(
    counts: list[int], *, metric: str = "cosine", seed: int = 0, spread: float = 1.0, roles: bool = False
) -> Embeddings:
    """So many pictures of each person around a middle of their own; with `roles`, some of them serve only as
    enrolment photograph, only as look, or as neither."""
    dice = np.random.default_rng(seed)
    person = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    middles = dice.normal(size=(len(counts), 16))
    vectors = (middles[person] + spread * dice.normal(size=(len(person), 16))).astype(np.float32)
    if metric == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    else:
        vectors *= np.float32(0.1)
    enrolled, seen = (
        dice.random(len(person)) < 0.7 if roles else np.ones(len(person), np.bool_) for _ in ("photo", "look")
    )
    weights = dice.uniform(0.2, 1, len(person)).astype(np.float32)
    return Embeddings(vectors, vectors, weights, enrolled, seen, person, len(counts), metric)


def passes(data: Embeddings, template: int, looks: list[int], threshold: float) -> bool:
    """Does the gate's own comparison accept one of these looks?"""
    sealed = Unsealed(Template(data.templates[template].copy(), "test"))
    comparison = Comparison(sealed, data.metric, threshold)
    accepted = any(comparison.add(data.probes[look].copy(), float(data.weights[look])) for look in looks)
    comparison.wipe()
    return accepted


def pairs_by_hand(data: Embeddings) -> Iterator[tuple[int, int]]:
    """Each two pictures of which one can be enrolled and the other looked at, once."""
    for one, other in combinations(range(len(data.person)), 2):
        if data.enrolled[one] and data.seen[other]:
            yield one, other
        elif data.enrolled[other] and data.seen[one]:
            yield other, one


def report(counts: list[int], *, operating: float = 1e-2, pack: Pack = FAKE_PACK) -> Report:
    """A calibration on embeddings out of thin air."""
    data = embeddings(counts, spread=0.5)
    return Report(
        pack=pack,
        data="thin air",
        made="2026-11-22T02:00:00Z",
        version="0.1.0",
        pictures=len(data.person),
        enrolled=len(data.person),
        seen=len(data.person),
        people=data.people,
        listed=False,
        figures=measure(data, pairs=None, operating=operating, looks=3),
        problems=(Problem("no_face", "Ana/1.jpg", "no face is found"),),
        jobs=1,
        embedding_s=1.0,
        comparing_s=1.0,
    )


def near(one: NDArray[np.float32] | list[float], other: NDArray[np.float32] | list[float]) -> bool:
    """The same numbers, whatever their order."""
    return len(one) == len(other) and bool(np.allclose(np.sort(one), np.sort(other), atol=2e-4))
