"""Which comparisons are made: against plain loops, and against the gate's own comparison."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edgegate.calibration import scores
from edgegate.calibration.embed import Embeddings
from edgegate.calibration.scores import AllPairs, AllPresentations, Comparisons, fused, rotations, similarities
from edgegate.faces.comparison import score
from tests.calibration.kit import embeddings, near, pairs_by_hand, passes

METRICS = ("cosine", "distance")
COUNTS = [1, 3, 2, 1, 5, 2, 4]


def impostors(comparisons: Comparisons) -> dict[tuple[int, int], list[float]]:
    """Impostor scores by the two people, smaller number first."""
    found: dict[tuple[int, int], list[float]] = {}
    for block in comparisons.impostors():
        left, right = (np.broadcast_to(side, block.scores.shape)[block.counted] for side in (block.left, block.right))
        for one, other, value in zip(left.tolist(), right.tolist(), block.scores[block.counted].tolist(), strict=True):
            found.setdefault((min(one, other), max(one, other)), []).append(value)
    return found


def genuine(comparisons: Comparisons) -> dict[int, list[float]]:
    """Genuine scores by the person."""
    found: dict[int, list[float]] = {}
    for value, person in zip(*(each.tolist() for each in comparisons.genuine()), strict=True):
        found.setdefault(person, []).append(value)
    return found


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_the_gates(metric: str) -> None:
    """The matrix holds what `faces.comparison.score` says of each two vectors."""
    data, other = embeddings(COUNTS, metric=metric), embeddings(COUNTS, metric=metric, seed=1)
    expected = [[score(a, b, metric) for b in other.probes] for a in data.templates]
    assert np.allclose(expected, similarities(data.templates, other.probes, metric), atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_a_presentation_passes_where_the_gates_would(metric: str) -> None:
    """The highest fused score reaches exactly the thresholds at which `Comparison` accepts one of the looks."""
    data, dice = embeddings([9, 9], metric=metric), np.random.default_rng(5)
    accepted = 0
    for _ in range(300):
        looks = dice.permutation(18)[: dice.integers(1, 7)]
        template = int(dice.integers(0, 18))
        means = fused(data.probes[looks][None], data.weights[looks][None], metric)
        best = max(float(similarities(data.templates[[template]], mean[None], metric)[0, 0]) for mean in means[0])
        threshold = best + float(dice.choice([-1e-3, 1e-3, -0.1, 0.1]))
        assert (best >= threshold) == passes(data, template, looks.tolist(), threshold)
        accepted += best >= threshold
    assert 100 < accepted < 200


@pytest.mark.parametrize("roles", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_every_pair_once(metric: str, roles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores, their people and the number of people's pairs: as a plain loop finds them, in blocks of any size."""
    monkeypatch.setattr(scores, "BLOCK", 7)
    data = embeddings(COUNTS, metric=metric, roles=roles)
    expected_own: dict[int, list[float]] = {}
    expected: dict[tuple[int, int], list[float]] = {}
    for photo, look in pairs_by_hand(data):
        value = score(data.templates[photo], data.probes[look], metric)
        one, other = sorted((int(data.person[photo]), int(data.person[look])))
        if one == other:
            expected_own.setdefault(one, []).append(value)
        else:
            expected.setdefault((one, other), []).append(value)
    pairs = AllPairs(data)

    found, own = impostors(pairs), genuine(pairs)
    assert expected.keys() == found.keys()
    assert all(near(expected[key], found[key]) for key in expected)
    assert expected_own.keys() == own.keys()
    assert all(near(expected_own[key], own[key]) for key in own)
    assert len(expected) == pairs.people_pairs()


def _sequences(data: Embeddings, person: int, without: int | None, looks: int) -> list[list[int]]:
    """Every sequence of looks at a person, if there are two pictures to look at, in the order that is used."""
    dice = np.random.default_rng(0)
    orders = [
        dice.permutation(np.flatnonzero(data.seen & (data.person == each))).tolist() for each in range(data.people)
    ]
    order = [picture for picture in orders[person] if picture != without]
    if len(orders[person]) < 2 or len(order) < 2:
        return []
    return [(order[start:] + order[:start])[:looks] for start in range(len(order))]


def _highest(data: Embeddings, template: int, looks: list[int]) -> float:
    """The highest fused score, by halving between thresholds at which the gate accepts and refuses."""
    low, high = -2.0, 2.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if passes(data, template, looks, middle) else (low, middle)
    return low


@pytest.mark.parametrize("roles", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_presentations_by_the_gates_own_comparison(metric: str, roles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every enrolment photograph before every sequence, one after the other, through `Comparison`."""
    monkeypatch.setattr(scores, "BLOCK", 5)
    monkeypatch.setattr(scores, "TOGETHER", 4)
    data = embeddings([1, 3, 2, 1, 4], metric=metric, roles=roles, seed=3)
    expected_own: dict[int, list[float]] = {}
    expected: dict[tuple[int, int], list[float]] = {}
    for template in np.flatnonzero(data.enrolled).tolist():
        owner = int(data.person[template])
        for person in range(data.people):
            for looks in _sequences(data, person, template, 3):
                if person == owner:
                    expected_own.setdefault(person, []).append(_highest(data, template, looks))
                else:
                    key = (min(person, owner), max(person, owner))
                    expected.setdefault(key, []).append(_highest(data, template, looks))
    presentations = AllPresentations(data, 3)

    found, own = impostors(presentations), genuine(presentations)
    assert expected.keys() == found.keys()
    assert all(near(expected[key], found[key]) for key in expected)
    assert expected_own.keys() == own.keys()
    assert all(near(expected_own[key], own[key]) for key in own)
    assert len(expected) == presentations.people_pairs()


@pytest.mark.parametrize("make", [AllPairs, lambda data: AllPresentations(data, 3)])
def test_how_many_there_are_when_people_are_drawn_anew(make: type[AllPairs]) -> None:
    """For any number of copies of each person: a person is never compared with a copy of the same."""
    data = embeddings(COUNTS, roles=True, seed=8)
    comparisons = make(data)
    found = impostors(comparisons)
    weights = np.random.default_rng(3).integers(0, 4, (5, data.people)).astype(np.float64)
    expected = [sum(len(some) * row[one] * row[other] for (one, other), some in found.items()) for row in weights]
    assert expected == comparisons.trials(weights).tolist()


def test_each_picture_is_the_first_look_once() -> None:
    """And none is looked at twice in one presentation, also where there are fewer pictures than looks."""
    order = np.array([7, 3, 9, 4])
    assert [[7, 3, 9], [3, 9, 4], [9, 4, 7], [4, 7, 3]] == rotations(order, 3).tolist()
    assert [7, 3, 9, 4] == rotations(order, 6)[:, 0].tolist()
    assert [4] * 4 == [len(set(row)) for row in rotations(order, 6).tolist()]


def test_more_looks_let_more_impostors_pass() -> None:
    """The first look alone is a pair; each further look can only raise the highest score."""
    data = embeddings([4] * 12, spread=2.0)
    by_looks = [np.sort(np.concatenate(list(impostors(AllPresentations(data, n)).values()))) for n in (1, 2, 4)]
    assert all((more >= fewer).all() and (more > fewer).any() for fewer, more in pairwise(by_looks))
