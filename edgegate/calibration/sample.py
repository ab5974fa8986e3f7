"""What is kept of millions of scores: all genuine ones, a histogram of the impostors', and their highest, whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.scores import Block, Comparisons, Scores
from edgegate.calibration.statistics import Floats, Indices, Weights, least_rate, over_people
from edgegate.rates import Rate, independent

BINS = 20_000
"""Of the histogram, from -1 to 1; lower scores fall into the first."""
SCALE = 10_000
"""Thresholds are whole multiples of its inverse."""
KEPT = 1_000_000
"""The highest impostor scores are kept whole: so many, or as many as the highest rate needs."""
MOST_FMR = 1e-2
"""The highest rate a threshold is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The scores of one set of comparisons."""

    comparisons: Comparisons
    people: int
    genuine: Scores
    genuine_person: Indices
    histogram: NDArray[np.int64]
    impostors: int
    top: Scores
    """The highest impostor scores, highest first."""
    left: Indices
    right: Indices

    @property
    def supports(self) -> float:
        """The least FMR these data can show (rule of three), pictures of two people counting once: the tenth picture
        of the same two tells little new."""
        return least_rate(self.comparisons.people_pairs())

    def threshold(self, fmr: float) -> float | None:
        """The lowest threshold at which at most `fmr` of the impostors pass; None where the data cannot tell."""
        if fmr > MOST_FMR * (1 + 1e-9):
            raise ValueError(f"FMR {fmr:g} is above {MOST_FMR:g}")
        if not self.impostors or self.supports > fmr * (1 + 1e-9):
            return None
        highest_refused = float(self.top[_most(fmr, self.impostors)])
        return (math.floor(highest_refused * SCALE) + 1) / SCALE

    def covers(self, threshold: float) -> bool:
        """Are all impostors that pass at this threshold among those kept?"""
        return len(self.top) == self.impostors or bool(threshold > self.top[-1])

    def fmr(self, threshold: float, members: NDArray[np.bool_] | None = None) -> Rate:
        """How many impostors pass at a threshold it `covers`; with `members`, of those among each other."""
        if not self.covers(threshold):
            raise ValueError(f"{threshold} is below the scores that were kept")
        passed = self.top.astype(np.float64) >= threshold
        if members is not None:
            passed &= members[self.left] & members[self.right]
        left, right = self.left[passed], self.right[passed]
        chosen = np.arange(self.people) if members is None else np.flatnonzero(members)
        place = np.zeros(self.people, np.intp)
        place[chosen] = np.arange(len(chosen))

        def count(weights: Weights) -> tuple[Floats, Floats]:
            errors = np.einsum("ij,ij->i", weights[:, place[left]], weights[:, place[right]])
            return errors, self.comparisons.trials(_spread(weights, chosen, self.people))

        once = np.zeros((1, self.people))
        once[0, chosen] = 1.0
        trials = round(float(self.comparisons.trials(once)[0]))
        if self._disjoint():
            return independent(len(left), trials)
        units = min(trials, len(chosen) * (len(chosen) - 1) // 2)
        terms = max(len(left), self.comparisons.terms)
        return over_people(len(left), trials, len(chosen), count, units=units, terms=terms)

    def fnmr(self, threshold: float, members: NDArray[np.bool_] | None = None) -> Rate:
        """How many genuine comparisons fail at this threshold."""
        failed = self.genuine.astype(np.float64) < threshold
        tried = np.bincount(self.genuine_person, minlength=self.people)
        errors = np.bincount(self.genuine_person[failed], minlength=self.people)
        if members is not None:
            tried, errors = tried * members, errors * members
        chosen = np.flatnonzero(tried)
        each, wrong = tried[chosen].astype(np.float64), errors[chosen].astype(np.float64)
        if not each.size or each.max() <= 1:
            return independent(int(errors.sum()), int(tried.sum()))

        def count(weights: Weights) -> tuple[Floats, Floats]:
            return weights @ wrong, weights @ each

        return over_people(int(errors.sum()), int(tried.sum()), len(chosen), count, units=len(chosen))

    def curve(self) -> tuple[Floats, Floats]:
        """FMR and FNMR at the edges of the histogram, threshold rising."""
        fmr = np.concatenate([np.cumsum(self.histogram[::-1])[::-1], [0]]) / max(1, self.impostors)
        edges = np.linspace(-1, 1, BINS + 1)
        fnmr = np.searchsorted(np.sort(self.genuine.astype(np.float64)), edges) / max(1, len(self.genuine))
        return fmr, fnmr

    def _disjoint(self) -> bool:
        """Is everybody in one pair of people at most, compared once?"""
        return self.impostors == self.comparisons.people_pairs() and 2 * self.impostors <= self.people


def collect(comparisons: Comparisons, people: int) -> Sample:
    """Walk over all comparisons twice: once to see how they lie, once for the highest."""
    genuine, person = comparisons.genuine()
    histogram = np.zeros(BINS, np.int64)
    for block in comparisons.impostors():
        histogram += np.bincount(_bins(block.scores[block.counted]), minlength=BINS)
    impostors = int(histogram.sum())
    wanted = max(_most(MOST_FMR, impostors) + 1, KEPT)
    above = np.cumsum(histogram[::-1])[::-1]
    lowest = int(np.flatnonzero(above >= min(wanted, impostors))[-1]) if impostors else 0
    top, left, right = _at_or_above(comparisons.impostors(), lowest)
    order = np.argsort(-top, kind="stable")
    return Sample(comparisons, people, genuine, person, histogram, impostors, top[order], left[order], right[order])


def _most(fmr: float, impostors: int) -> int:
    """How many impostors may pass."""
    return math.floor(fmr * impostors * (1 + 1e-9))


def _bins(scores: Scores) -> NDArray[np.int32]:
    return np.asarray(np.clip((scores + 1) * (BINS / 2), 0, BINS - 1), np.int32)


def _at_or_above(blocks: Iterator[Block], lowest: int) -> tuple[Scores, Indices, Indices]:
    """The scores in the bin `lowest` and above, and whose they are."""
    scores, left, right = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for block in blocks:
        chosen = block.counted & (_bins(block.scores) >= lowest)
        scores.append(block.scores[chosen])
        left.append(np.broadcast_to(block.left, chosen.shape)[chosen])
        right.append(np.broadcast_to(block.right, chosen.shape)[chosen])
    return np.concatenate(scores), np.concatenate(left), np.concatenate(right)


def _spread(weights: Weights, chosen: NDArray[np.intp], people: int) -> Weights:
    """Weights of the chosen people in their places among all."""
    if len(chosen) == people:
        return weights
    spread = np.zeros((len(weights), people))
    spread[:, chosen] = weights
    return spread
