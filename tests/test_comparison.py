"""Probes against one template: what counts how much, and what never counts."""

from __future__ import annotations

import numpy as np
import pytest

from edgegate.errors import PhotoRefused
from edgegate.faces.comparison import Comparison, usable
from edgegate.faces.fake_engine import FakeEngine, draw_face
from edgegate.faces.photos import enrol
from edgegate.model import Image, Template, Unsealed, Vector
from edgegate.ports import Face

OWN = np.array([1.0, 0.0, 0.0], np.float32)
OTHER = np.array([0.0, 1.0, 0.0], np.float32)
USELESS = {
    "zeros": np.zeros(3, np.float32),
    "not a number": np.array([np.nan, 1, 0], np.float32),
    "endless": np.array([np.inf, 0, 0], np.float32),
    "too short": np.ones(2, np.float32),
    "a matrix": np.ones((3, 3), np.float32),
}
WEIGHTLESS = (0.0, -1.0, float("nan"), float("inf"))


def comparison(threshold: float = 0.8, metric: str = "cosine", template: Vector = OWN) -> Comparison:
    """With a template of one's own."""
    return Comparison(Unsealed(Template(template.copy(), "test")), metric, threshold)


def test_a_probe_counts_as_much_as_it_weighs() -> None:
    """Its weight counts squared: half and half is too far from the template, and so is 10 to 8; 10 to 5 is not."""
    for weight, enough in ((1.0, False), (0.8, False), (0.5, True), (0.1, True)):
        each = comparison(0.9)
        assert [False, enough] == [each.add(OTHER.copy(), weight), each.add(OWN.copy())]


@pytest.mark.parametrize("metric", ["cosine", "distance"])
def test_only_the_relation_of_weights_matters(metric: str) -> None:
    """However small all weights of a presentation are, the mean is the same."""
    dice = np.random.default_rng(0)
    for scale in (1.0, 1e-6, 1e-12):
        template, probes = dice.normal(size=3).astype(np.float32), dice.normal(size=(3, 3)).astype(np.float32)
        several = [comparison(0.2, metric, template) for _ in range(2)]
        for probe, weight in zip(probes, (0.2, 1.0, 0.5), strict=True):
            plain, scaled = several[0].add(probe.copy(), weight), several[1].add(probe.copy(), weight * scale)
            assert plain is scaled


@pytest.mark.parametrize("metric", ["cosine", "distance"])
@pytest.mark.parametrize("what", USELESS)
def test_a_probe_of_no_use_never_matches_nor_spoils_the_next(what: str, metric: str) -> None:
    """At a threshold that everything else passes; and it is wiped as any other."""
    probe, own = USELESS[what].copy(), comparison(-5.0, metric)
    assert not own.alone(probe)
    assert not own.add(probe)
    assert not probe.any()
    assert own.add(OWN.copy())


@pytest.mark.parametrize("weight", WEIGHTLESS)
def test_a_probe_without_weight_never_matches_nor_spoils_the_next(weight: float) -> None:
    """Nothing is divided by it."""
    own = comparison(0.99)
    assert not own.add(OWN.copy(), weight)
    assert own.add(OWN.copy(), 0.5)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_template_of_no_use_matches_nobody(value: float) -> None:
    """Whatever the vault gave."""
    assert not comparison(-0.9, template=np.full(3, value, np.float32)).add(OWN.copy())


def test_a_restart_forgets_the_one_before() -> None:
    """Two people are never averaged into one."""
    both, anew = comparison(), comparison()
    for each in (both, anew):
        each.add(OTHER.copy())
    anew.restart()
    assert not both.add(OWN.copy())
    assert anew.add(OWN.copy())


def test_usable() -> None:
    """Finite, and not zero."""
    assert usable(OWN)
    assert not any(usable(vector) for name, vector in USELESS.items() if name in ("zeros", "not a number", "endless"))


class Broken(FakeEngine):
    """Gives such numbers from the third time on: a photograph takes two."""

    def __init__(self, value: float) -> None:
        self._value, self._count = value, 0

    def embed(self, image: Image, face: Face) -> Vector:
        self._count += 1
        return np.full(8, self._value, np.float32) if self._count > 2 else super().embed(image, face)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_numbers_of_no_use_enrol_nobody(value: float) -> None:
    """The photograph is named in one line; no mean is made with it."""
    picture = np.full((300, 300, 3), 170, np.uint8)
    draw_face(picture, "ana", 50, 50, 200)
    with pytest.raises(PhotoRefused, match="gives no usable numbers") as refused:
        enrol([("a.png", picture), ("b.png", picture)], Broken(value), "fake", 0.9)
    assert ("bad_embedding", "b.png") == (refused.value.code, refused.value.where)
