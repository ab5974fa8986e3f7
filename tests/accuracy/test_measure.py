"""The measuring of docs/accuracy.md itself: its frames are repeatable, and it counts as the gate decides."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgegate.camera.people import portrait
from edgegate.faces.comparison import Comparison
from edgegate.model import Template, Unsealed
from tests.accuracy.material import FRAMES, Floats, Material
from tests.accuracy.measure import VARIANTS, genuine, highest, ratio, sampled
from tests.accuracy.sequences import CONDITIONS, HEIGHT, WIDTH, Condition, sequence

PEOPLE, SIZE = 40, 8


def unit(vectors: NDArray[np.float64]) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def material() -> Material:
    """Two photographs of everybody, one sequence of each: a person is a middle, and a look noise around it. One frame
    in four is not compared, and nothing at all of one sequence; the peer sees more noise."""
    dice = np.random.default_rng(2)
    person = np.repeat(np.arange(PEOPLE), 2).astype(np.int32)
    middles = dice.normal(size=(PEOPLE, SIZE))[person]
    plain, lit, mirror = (unit(middles + 0.3 * dice.normal(size=middles.shape)) for _ in range(3))
    looks = unit(middles[:, None] + 0.4 * dice.normal(size=(len(person), FRAMES, SIZE)))
    good = dice.random((len(person), FRAMES)) > 0.25
    good[5] = False
    weight = dice.uniform(0.25, 1, good.shape).astype(np.float32)
    number = np.arange(len(person), dtype=np.int32)
    first = unit(middles + 0.6 * dice.normal(size=middles.shape))
    found = np.ones_like(good)
    return Material(
        number, person, first, plain, lit, mirror, number, person, number % 7, first, found, good, weight, looks, looks
    )


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_the_same_seed_gives_the_same_frames(condition: Condition) -> None:
    """Of the camera's size, no two alike."""
    photo, box = portrait("astronaut"), (60.0, 50.0, 90.0, 120.0)
    once, again = (list(sequence(photo, box, condition, 2, (1, 2))) for _ in range(2))
    other = next(sequence(photo, box, condition, 1, (1, 3)))
    assert (HEIGHT, WIDTH, 3) == once[0].shape
    assert all(np.array_equal(one, two) for one, two in zip(once, again, strict=True))
    assert not np.array_equal(once[0], once[1])
    assert not np.array_equal(once[0], other)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_presentation_passes_where_the_gate_would(material: Material, variant: object) -> None:
    """Just below its highest score the gate's own comparison accepts one of the looks, just above none."""
    gate = next(each for each in VARIANTS if each is variant)
    best, weights = highest(material, gate), gate.weights(material)
    templates, probes = gate.templates(material), gate.probes(material)
    for row, column in ((0, 0), (0, 1), (3, 7), (20, 60), (70, 71)):
        for step in (-1e-3, 1e-3):
            threshold = float(best[row, column]) + step
            comparison = Comparison(Unsealed(Template(templates[row].copy(), "")), "cosine", threshold)
            looks = zip(probes[column], weights[column], strict=True)
            passed = [comparison.add(probe.copy(), float(weight)) for probe, weight in looks if weight > 0]
            assert any(passed) is (step < 0)


def test_what_cannot_be_compared_never_passes(material: Material) -> None:
    """It counts as a failure of its owner, and as no false match."""
    assert [True, False] == [bool((highest(material, VARIANTS[n])[:, 5] == -1).all()) for n in (-1, 0)]


def test_nobody_is_compared_with_the_photograph_they_were_enrolled_with(material: Material) -> None:
    """Each of two photographs once, against the sequence of the other."""
    (photos, sequences), _ = genuine(material)
    assert 2 * PEOPLE == len(photos)
    assert (material.photo[photos] != material.seen_photo[sequences]).all()
    assert (material.person[photos] == material.seen_person[sequences]).all()


def test_the_ratio_of_one_with_itself_is_one(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    """And several looks at less noise are better than one, beyond chance."""
    monkeypatch.setattr("tests.accuracy.measure.TARGET", 1e-2)
    before, after = (sampled(material, each) for each in (VARIANTS[0], VARIANTS[-1]))
    assert (1.0, 1.0, 1.0) == ratio(material, before, before)
    value, low, high = ratio(material, before, after)
    assert low <= value <= high < 0.9
