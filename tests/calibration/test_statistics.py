"""Intervals against published tables, by their definition, and against simulated truth."""

from __future__ import annotations

from math import comb
from statistics import NormalDist

import numpy as np
import pytest

from edgegate.calibration.statistics import Floats, Weights, accuracy, best_threshold, least_rate, over_people
from edgegate.rates import clopper_pearson, independent

TABLE = {
    (0, 10): (0.0, 0.3085),
    (1, 10): (0.0025, 0.4450),
    (5, 10): (0.1871, 0.8129),
    (10, 10): (0.6915, 1.0),
    (0, 100): (0.0, 0.0362),
    (3, 100): (0.0062, 0.0852),
    (50, 100): (0.3983, 0.6017),
    (0, 0): (0.0, 1.0),
}


@pytest.mark.parametrize(("errors", "trials"), TABLE)
def test_clopper_pearson_as_published(errors: int, trials: int) -> None:
    """Exact binomial intervals at 95 %, as tables give them to four digits."""
    assert TABLE[errors, trials] == pytest.approx(clopper_pearson(errors, trials), abs=5e-5)


def test_clopper_pearson_by_its_definition() -> None:
    """At the lower bound so many errors or more have a chance of 2.5 %; at the upper, so many or fewer."""
    low, high = clopper_pearson(7, 40)
    at_least = sum(comb(40, k) * low**k * (1 - low) ** (40 - k) for k in range(7, 41))
    at_most = sum(comb(40, k) * high**k * (1 - high) ** (40 - k) for k in range(8))
    assert (0.025, 0.025) == pytest.approx((at_least, at_most))


@pytest.mark.parametrize(("errors", "trials"), [(-1, 10), (11, 10)])
def test_more_errors_than_trials_is_a_mistake(errors: int, trials: int) -> None:
    """A rate below 0 or above 1 has no interval."""
    with pytest.raises(ValueError, match=f"{errors} errors in {trials} trials"):
        clopper_pearson(errors, trials)


def test_rule_of_three() -> None:
    """30,000 independent impostor pairs without an error support 1e-4, and no pair supports nothing."""
    assert (1e-4, 1.0, 1.0) == (least_rate(30_000), least_rate(0), least_rate(2))
    assert 0.05 == pytest.approx((1 - least_rate(30_000)) ** 30_000, rel=0.01)


def _people(dice: np.random.Generator, people: int, each: int) -> tuple[Floats, float]:
    """Errors of each person, whose own rates differ widely, and the rate of all people there could be."""
    own = dice.beta(0.3, 2.7, people)
    return dice.binomial(each, own).astype(np.float64), 0.1


def test_people_who_differ_widen_the_interval() -> None:
    """Of 150 simulated samples of 80 people, compared 40 times each, 95 % intervals that count comparisons hold the
    true rate half the time; those over people hold it nearly always."""
    dice, each = np.random.default_rng(4), 40
    naive = wide = 0
    for number in range(150):
        errors, truth = _people(dice, 80, each)

        def count(weights: Weights, errors: Floats = errors) -> tuple[Floats, Floats]:
            return weights @ errors, each * weights.sum(axis=1)

        total, trials = int(errors.sum()), 80 * each
        alone = independent(total, trials)
        shared = over_people(total, trials, 80, count, units=80, seed=number)
        assert (alone.value, True) == (shared.value, shared.low <= alone.low <= alone.high <= shared.high)
        naive += alone.low <= truth <= alone.high
        wide += shared.low <= truth <= shared.high
    assert naive < 0.7 * 150
    assert wide > 0.88 * 150


def test_no_error_at_all_counts_people() -> None:
    """Without an error, 15 people compared 162 times are 15 trials: nobody knows how the sixteenth fares."""

    def count(weights: Weights) -> tuple[Floats, Floats]:
        raise AssertionError("nothing to draw")

    rate = over_people(0, 162, 15, count, units=15)
    assert (0, 162, *clopper_pearson(0, 15)) == (rate.errors, rate.trials, rate.low, rate.high)
    rate = over_people(162, 162, 15, count, units=15)
    assert clopper_pearson(15, 15) == (rate.low, rate.high)


def test_the_interval_is_the_same_each_time() -> None:
    """A calibration repeated on the same data gives the same figures."""

    def count(weights: Weights) -> tuple[Floats, Floats]:
        return weights[:, 0] + weights[:, 3], weights.sum(axis=1)

    assert over_people(2, 9, 9, count, units=9) == over_people(2, 9, 9, count, units=9)


def test_the_best_threshold_is_the_best() -> None:
    """Against trying every threshold there is, with scores that are often equal."""
    dice = np.random.default_rng(2)
    for _ in range(200):
        size = int(dice.integers(1, 12))
        scores = dice.integers(0, 6, size) / 4
        same = dice.random(size) < 0.5
        candidates = np.concatenate([scores, [scores.max() + 1]])
        most = max(float(np.mean((scores >= each) == same)) for each in candidates)
        assert most == float(np.mean((scores >= best_threshold(scores, same)) == same))


def test_accuracy_over_ten_folds() -> None:
    """Normal scores two deviations apart are told apart with an accuracy of Φ(1) = 84 %."""
    dice = np.random.default_rng(1)
    same = np.tile(np.repeat([True, False], 300), 10)
    scores = np.where(same, 2.0, 0.0) + dice.normal(size=6000)
    found = accuracy(scores, same, np.repeat(np.arange(10), 600).astype(np.int32))

    assert found is not None
    assert (10, 6000) == (found.folds, found.pairs)
    assert NormalDist().cdf(1) == pytest.approx(found.mean, abs=0.015)
    assert 0.0047 == pytest.approx(found.standard_error, abs=0.003)
    assert found.mean / 2 == pytest.approx(found.at_worst(6000))


def test_one_fold_gives_no_accuracy() -> None:
    """A list without folds leaves nothing to judge the threshold on."""
    assert accuracy(np.array([0.1, 0.2]), np.array([True, False]), np.zeros(2, np.int32)) is None
