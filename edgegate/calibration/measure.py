"""From embeddings to figures: rates, thresholds and curves, per pair and per presentation, for all and by group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.embed import Embeddings
from edgegate.calibration.listed import Rows, pairs_of, presentations_of
from edgegate.calibration.pairs import PairList
from edgegate.calibration.sample import MOST_FMR, Sample, collect
from edgegate.calibration.scores import AllPairs, AllPresentations, Comparisons
from edgegate.calibration.statistics import Accuracy
from edgegate.rates import Rate, independent

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)
CURVE_POINTS = 240


@dataclass(frozen=True, slots=True)
class Point:
    """What a target FMR takes. Without a threshold, the data are too few to tell."""

    target: float
    threshold: float | None = None
    fmr: Rate | None = None
    fnmr: Rate | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One way of comparing: how much of it there was, and its errors."""

    genuine: int
    genuine_people: int
    impostors: int
    people_pairs: int
    supports: float
    """The least FMR that so many pairs of people can show."""
    points: Sequence[Point]
    curve: Sequence[tuple[float, float]]
    """FMR and FNMR, threshold rising."""


@dataclass(frozen=True, slots=True)
class GroupRates:
    """One group at a side's threshold for everybody: its impostors are of the same group."""

    fmr: Rate
    fnmr: Rate


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """A group's people, those of them who could not be enrolled, and its error rates; None where a side has no
    threshold."""

    name: str
    people: int
    not_enrolled: Rate
    per_pair: GroupRates | None
    per_presentation: GroupRates | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured. `operating` is the FMR that the gate is set to."""

    operating: float
    looks: int
    not_enrolled: Rate
    """People without one picture that enrolment takes."""
    per_pair: Side
    first_look: Side
    """The first look of each presentation alone, to see what the others add."""
    per_presentation: Side
    presentation_at_pair: Rate | None
    """FMR of presentations at the threshold per pair for `operating`."""
    first_look_at_pair: Rate | None
    groups: Sequence[GroupFigures]
    accuracy: Accuracy | None
    uncompared: int
    """Rows of a list that could not be compared."""


def measure(
    data: Embeddings,
    *,
    pairs: PairList | None,
    operating: float,
    looks: int,
    groups: tuple[Sequence[str], Sequence[int]] = ((), ()),
) -> Figures:
    """Compare everybody with everybody, or what `pairs` lists. `groups` are names, and the group of each person."""
    accuracy, uncompared = None, 0
    if pairs is None:
        chosen: list[Comparisons] = [AllPairs(data), AllPresentations(data, 1), AllPresentations(data, looks)]
        one, first, several = (collect(each, data.people) for each in chosen)
    else:
        rows = Rows.of(pairs, data)
        uncompared = len(pairs.same) - len(rows.same)
        listed, accuracy = pairs_of(rows, data)
        one = collect(listed, data.people)
        first, several = (collect(each, data.people) for each in presentations_of(rows, data, looks))
    at_pair = one.threshold(operating)
    enrolled = np.bincount(data.person[data.enrolled], minlength=data.people) > 0
    names, member_of = groups
    figures = []
    for number, name in enumerate(names):
        members = np.array([group == number for group in member_of], np.bool_)
        figures.append(
            GroupFigures(
                name,
                int(members.sum()),
                independent(int((members & ~enrolled).sum()), int(members.sum())),
                _of_group(one, operating, members),
                _of_group(several, operating, members),
            )
        )
    return Figures(
        operating,
        looks,
        independent(int((~enrolled).sum()), data.people),
        measured_side(one, operating),
        measured_side(first, operating),
        measured_side(several, operating),
        several.fmr(at_pair) if at_pair is not None and several.covers(at_pair) else None,
        first.fmr(at_pair) if at_pair is not None and first.covers(at_pair) else None,
        figures,
        accuracy,
        uncompared,
    )


def farthest(rates: Sequence[Rate | None]) -> int | None:
    """Which of the groups' rates is the highest; None where none was measured."""
    tried = {number: rate.value for number, rate in enumerate(rates) if rate is not None and rate.trials}
    return max(tried, key=tried.__getitem__) if tried else None


def measured_side(sample: Sample, operating: float) -> Side:
    """One side's rates and thresholds: for the usual target FMRs and `operating`, as far as its data support."""
    targets = {*TARGETS, operating}
    least = _rounded_up(sample.supports)
    if least <= MOST_FMR and least > min(targets):
        targets.add(least)
    points = []
    for target in sorted(targets, reverse=True):
        threshold = sample.threshold(target)
        if threshold is None:
            points.append(Point(target))
        else:
            points.append(Point(target, threshold, sample.fmr(threshold), sample.fnmr(threshold)))
    return Side(
        len(sample.genuine),
        len(np.unique(sample.genuine_person)),
        sample.impostors,
        sample.comparisons.people_pairs(),
        sample.supports,
        points,
        _thinned(*sample.curve()) if sample.impostors and len(sample.genuine) else (),
    )


def _of_group(sample: Sample, operating: float, members: NDArray[np.bool_]) -> GroupRates | None:
    threshold = sample.threshold(operating)
    if threshold is None:
        return None
    return GroupRates(sample.fmr(threshold, members), sample.fnmr(threshold, members))


def _rounded_up(rate: float) -> float:
    """To two digits, never to a lower rate."""
    if rate >= 1:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.ceil(rate / unit - 1e-9) * unit:.1e}")


def _thinned(fmr: NDArray[np.float64], fnmr: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Enough of a curve to draw it: the lowest threshold for each of many FMRs, as many in every decade; both ends."""
    seen = int(np.count_nonzero(fmr))  # threshold rising, FMR falling: so many are above 0
    levels = np.geomspace(fmr[0], fmr[seen - 1], CURVE_POINTS)
    places = np.searchsorted(-fmr, -levels * (1 + 1e-9))
    chosen = np.unique(np.concatenate([places, [seen - 1, min(seen, len(fmr) - 1)]]))
    return [(float(fmr[place]), float(fnmr[place])) for place in chosen]
