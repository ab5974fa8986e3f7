"""Thresholds and rates from scores whose true rates are known."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from edgegate.calibration.listed import Listed
from edgegate.calibration.measure import measure
from edgegate.calibration.sample import SCALE, Sample, collect
from edgegate.calibration.scores import AllPairs
from edgegate.faces.comparison import score
from edgegate.rates import clopper_pearson
from tests.calibration.kit import embeddings, pairs_by_hand

IMPOSTOR, GENUINE, SPREAD = 0.1, 0.6, 0.1
NORMAL = NormalDist()


def normal(impostors: int, genuine: int = 2000, seed: int = 0) -> Sample:
    """Normal scores between people who each are in one comparison only."""
    dice = np.random.default_rng(seed)
    scores = np.concatenate([dice.normal(IMPOSTOR, SPREAD, impostors), dice.normal(GENUINE, SPREAD, genuine)]).astype(
        np.float32
    )
    left = np.arange(impostors + genuine, dtype=np.int32)
    same = left >= impostors
    right = np.where(same, left, left + impostors + genuine).astype(np.int32)
    return collect(Listed(scores, same, left, right), 2 * impostors + genuine)


def test_thresholds_of_normal_scores() -> None:
    """At each target, threshold, FMR and FNMR are those of the normal distribution, within what chance allows, and
    the intervals are Clopper and Pearson's, since nobody is in two comparisons."""
    sample = normal(200_000)
    for target in (1e-2, 1e-3, 1e-4):
        true_threshold = IMPOSTOR - SPREAD * NORMAL.inv_cdf(target)
        threshold = sample.threshold(target)
        assert threshold is not None
        chance = 4 * sqrt(target / 200_000) / NORMAL.pdf(NORMAL.inv_cdf(target)) * SPREAD
        assert true_threshold == pytest.approx(threshold, abs=chance + 1 / SCALE)
        fmr, fnmr = sample.fmr(threshold), sample.fnmr(threshold)
        assert (200_000, 2000) == (fmr.trials, fnmr.trials)
        assert clopper_pearson(fmr.errors, fmr.trials) == (fmr.low, fmr.high)
        assert clopper_pearson(fnmr.errors, fnmr.trials) == (fnmr.low, fnmr.high)
        missed = NORMAL.cdf((threshold - GENUINE) / SPREAD)
        assert missed == pytest.approx(fnmr.value, abs=4 * sqrt(missed / 2000) + 1e-3)


def test_a_threshold_is_the_lowest_that_keeps_the_target() -> None:
    """At it, no more impostors pass than the target allows; a step lower, more do."""
    sample = normal(50_000)
    for target in (1e-2, 3e-3, 1e-3, 1e-4):
        threshold = sample.threshold(target)
        assert threshold is not None
        assert sample.fmr(threshold).errors <= 50_000 * target < sample.fmr(threshold - 1 / SCALE).errors + 1
        assert threshold == round(threshold * SCALE) / SCALE


def test_thirty_thousand_pairs_support_one_in_ten_thousand() -> None:
    """One pair less, and there is no threshold for it."""
    assert 1e-4 == normal(30_000, 10).supports
    assert normal(30_000, 10).threshold(1e-4) is not None
    assert normal(29_999, 10).threshold(1e-4) is None
    assert normal(29_999, 10).threshold(2e-4) is not None


def test_many_pictures_of_few_people_support_little() -> None:
    """Two people with 60 pictures each make 3,600 impostor pairs, which tell about one pair of people."""
    sample = collect(AllPairs(embeddings([60, 60])), 2)
    assert (3600, 1.0, None) == (sample.impostors, sample.supports, sample.threshold(1e-2))


def test_equal_scores_pass_together_or_not_at_all() -> None:
    """When all impostors score the same, the threshold is above them."""
    count = 1000
    scores = np.full(count, 0.25, np.float32)
    left = np.arange(count, dtype=np.int32)
    sample = collect(Listed(scores, np.zeros(count, np.bool_), left, left + count), 2 * count)
    threshold = sample.threshold(1e-2)
    assert threshold == 0.2501
    assert 0 == sample.fmr(threshold).errors
    assert 1000 == sample.fmr(0.25).errors


def test_the_curve_passes_through_the_rates() -> None:
    """At any threshold of the histogram, the curve says what the rates say."""
    sample = normal(20_000)
    fmr, fnmr = sample.curve()
    for threshold in (0.2, 0.3, 0.35):
        place = round((threshold + 1) * SCALE)
        assert sample.fmr(threshold).value == pytest.approx(fmr[place], abs=2e-4)
        assert sample.fnmr(threshold).value == pytest.approx(fnmr[place], abs=2e-3)


def test_only_the_highest_scores_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, the figures stay; what is no longer known is not told."""
    whole = normal(50_000)
    monkeypatch.setattr("edgegate.calibration.sample.KEPT", 0)
    part = normal(50_000)
    assert 500 < len(part.top) < 600
    for target in (1e-2, 1e-3, 1e-4):
        threshold = whole.threshold(target)
        assert threshold is not None
        assert (threshold, whole.fmr(threshold)) == (part.threshold(target), part.fmr(threshold))
    assert (True, False) == (whole.covers(0.0), part.covers(0.0))
    with pytest.raises(ValueError, match="below the scores that were kept"):
        part.fmr(0.0)


def test_shared_people_widen_the_interval() -> None:
    """All pairs of 60 people: the interval over people is wider than the one that counts pairs."""
    sample = collect(AllPairs(embeddings([3] * 60, spread=1.5)), 60)
    threshold = sample.threshold(1e-2)
    assert threshold is not None
    rate = sample.fmr(threshold)
    low, high = clopper_pearson(rate.errors, rate.trials)
    assert rate.high - rate.low > 1.5 * (high - low)


@pytest.mark.parametrize("metric", ["cosine", "distance"])
def test_a_groups_errors_by_hand(metric: str) -> None:
    """False matches among a group's people, false non-matches of theirs: as a plain loop counts them."""
    data = embeddings([2, 1, 3] * 8, metric=metric, spread=1.5)
    members = np.arange(data.people) % 3 != 1
    sample = collect(AllPairs(data), data.people)
    threshold = float(np.percentile(sample.top, 90)) + 1e-4
    wrong, tried, missed, own = 0, 0, 0, 0
    for one, other in pairs_by_hand(data):
        first, second = int(data.person[one]), int(data.person[other])
        if members[first] and members[second]:
            passed = score(data.templates[one], data.probes[other], metric) >= threshold
            wrong, tried = wrong + (first != second and passed), tried + (first != second)
            missed, own = missed + (first == second and not passed), own + (first == second)
    fmr, fnmr = sample.fmr(threshold, members), sample.fnmr(threshold, members)
    assert (wrong, tried, missed, own) == (fmr.errors, fmr.trials, fnmr.errors, fnmr.trials)
    assert 0 < wrong < sample.fmr(threshold).errors
    assert 0 < missed


def test_groups_are_compared_within_themselves() -> None:
    """Two groups whose people are alike within the group only: all false matches are theirs, and are counted so."""
    dice = np.random.default_rng(0)
    data = embeddings([2] * 40, spread=0.8)
    alike = data.probes + np.where(data.person < 20, 1.0, 0.0)[:, None].astype(np.float32)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    member_of = np.where(np.arange(40) < 20, 0, 1).tolist()
    data.templates[:] = data.probes[:] = alike + dice.normal(scale=1e-6, size=alike.shape)
    figures = measure(data, pairs=None, operating=1e-2, looks=2, groups=(("alike", "not"), member_of))
    first, second = figures.groups
    assert (20, 20) == (first.people, second.people)
    assert first.per_pair is not None
    assert second.per_pair is not None
    assert 20 * 19 // 2 * 4 == first.per_pair.fmr.trials == second.per_pair.fmr.trials
    assert first.per_pair.fmr.low > second.per_pair.fmr.value
    assert 20 == first.per_pair.fnmr.trials
