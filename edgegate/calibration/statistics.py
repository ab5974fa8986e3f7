"""Error rates with their 95 % intervals.

Comparisons that share people are not independent: one person with a common face makes many false matches. So where
people are shared the interval is the wider of two: Clopper and Pearson's, which takes each comparison for independent,
and the bootstrap's over people, which breaks down where there are few errors. Without any error it says nothing: then
each person, or pair of people, counts as one trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgegate.rates import CONFIDENCE, Rate, clopper_pearson, independent

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int32]
Weights: TypeAlias = NDArray[np.float64]
"""How often each person was drawn, (replicates, people)."""

REPLICATES = 1000
MIN_REPLICATES = 200
_WORK = 200_000_000
"""Error terms that one interval may cost before it makes do with fewer replicates."""
_BLOCK = 4_000_000
RULE_OF_THREE = 3.0
"""Without one error in n independent trials, the rate is below 3 / n at 95 %."""
FEW = 2
"""Fewer people, or folds, vary in no way."""


def least_rate(trials: int) -> float:
    """The least rate that so many independent trials can support (rule of three); 1 at most."""
    return min(1.0, RULE_OF_THREE / trials) if trials else 1.0


def over_people(
    errors: int,
    trials: int,
    people: int,
    count: Callable[[Weights], tuple[Floats, Floats]],
    *,
    units: int,
    terms: int = 0,
    seed: int = 0,
) -> Rate:
    """The rate of trials that share `people`, who are drawn anew, with replacement, in each replicate.

    `units` is how many people (or pairs of people) were tried. `count` gives errors and trials, (replicates,) each,
    for how often each person was drawn; `terms` is how many numbers it handles for one replicate, which bounds memory
    and time.
    """
    if errors in (0, trials):
        return Rate(errors, trials, *clopper_pearson(units if errors else 0, units))
    plain = independent(errors, trials)
    if people < FEW:
        return plain
    rates = []
    replicates = int(min(REPLICATES, max(MIN_REPLICATES, _WORK / max(1, terms))))
    for weights in _draws(people, replicates, max(1, terms), seed):
        failed, tried = count(weights)
        rates.append(failed[tried > 0] / tried[tried > 0])
    half = 100 * (1 - CONFIDENCE) / 2
    drawn = np.concatenate(rates)
    low, high = np.percentile(drawn, [half, 100 - half]) if drawn.size else (0.0, 1.0)
    return Rate(errors, trials, min(plain.low, float(low)), max(plain.high, float(high)))


def _draws(people: int, replicates: int, terms: int, seed: int) -> Iterator[Weights]:
    dice = np.random.default_rng(seed)
    rows = max(1, min(replicates, _BLOCK // max(people, terms)))
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        drawn = dice.integers(0, people, (count, people)) + np.arange(count)[:, None] * people
        yield np.bincount(drawn.ravel(), minlength=count * people).reshape(count, people).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean accuracy over the folds and its standard error, as LFW's View 2 is reported, of the pairs that could be
    compared."""

    mean: float
    standard_error: float
    folds: int
    pairs: int

    def at_worst(self, uncompared: int) -> float:
        """The accuracy if each pair that could not be compared were counted as wrong."""
        return self.mean * self.pairs / (self.pairs + uncompared)


def accuracy(scores: Floats, same: NDArray[np.bool_], fold: Indices) -> Accuracy | None:
    """Each fold is judged at the threshold that is best on all others. None where there are no folds."""
    folds = np.unique(fold)
    if len(folds) < FEW:
        return None
    right = []
    for number in folds:
        held = fold == number
        threshold = best_threshold(scores[~held], same[~held])
        right.append(float(np.mean((scores[held] >= threshold) == same[held])))
    error = float(np.std(right, ddof=1) / np.sqrt(len(right)))
    return Accuracy(float(np.mean(right)), error, len(folds), len(scores))


def best_threshold(scores: Floats, same: NDArray[np.bool_]) -> float:
    """The threshold with the most right answers, in the middle between two scores."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], same[order]
    # With the first k accepted: genuine ones among them, and impostors among the rest.
    right = np.concatenate([[0], np.cumsum(hits)]) + np.count_nonzero(~hits) - np.concatenate([[0], np.cumsum(~hits)])
    right[1:-1][ranked[1:] == ranked[:-1]] = -1  # equal scores cannot be told apart
    best = int(np.argmax(right))
    if best in (0, len(ranked)):
        return float(ranked[0]) + 1.0 if best == 0 else float(ranked[-1])
    return float(ranked[best - 1] + ranked[best]) / 2
