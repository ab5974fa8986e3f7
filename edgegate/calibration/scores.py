"""Which comparisons are made, and their scores: in blocks, by matrix products, in bounded memory.

Per pair: an enrolment photograph against one picture. Per presentation: against a sequence of pictures of one person,
fused and accepted early as `faces.comparison.Comparison` does it. That accepts as soon as the mean of the probes so
far reaches the threshold, so a presentation passes exactly where the *highest* of those scores does: one number says
at which thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.embed import Embeddings
from edgegate.calibration.statistics import Floats, Indices, Weights

Scores = NDArray[np.float32]
BLOCK = 1_000_000
"""Scores held at once."""
TOGETHER = 128
"""Sequences of looks compared together."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Scores, which of them count, and whose enrolment photograph (`left`) meets whose look (`right`), in shapes that
    broadcast to that of the scores."""

    scores: Scores
    counted: NDArray[np.bool_]
    left: Indices
    right: Indices


class Comparisons(Protocol):
    """A set of labelled comparisons, walked over as often as needed."""

    terms: int
    """How many numbers `trials` handles for one replicate."""

    def genuine(self) -> tuple[Scores, Indices]:
        """Scores of one person's own pictures, and the person of each."""
        ...

    def impostors(self) -> Iterator[Block]:
        """Scores between different people."""
        ...

    def trials(self, weights: Weights) -> Floats:
        """How many impostor comparisons there are when each person was drawn so often, (replicates,)."""
        ...

    def people_pairs(self) -> int:
        """Between how many pairs of people impostor comparisons are made."""
        ...


def similarities(a: Scores, b: Scores, metric: str) -> Scores:
    """Score of each row of `a` with each of `b`; rows of unit length where the metric is cosine."""
    product = a @ b.T
    if metric == "cosine":
        return product
    squares = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)[None, :] - 2 * product
    return np.asarray(1.0 - np.sqrt(np.maximum(squares, 0.0)), np.float32)


def fused(looks: Scores, weights: Scores, metric: str) -> Scores:
    """What `Comparison` compares after each look: the weighted mean of all looks so far, (sequences, looks,
    dimensions); `weights` are (sequences, looks), above zero, and count squared."""
    shares = (weights * weights)[:, :, None]
    total = np.cumsum(shares, axis=1, dtype=np.float32)
    means = np.asarray(np.cumsum(looks * shares, axis=1, dtype=np.float32) / total, np.float32)
    if metric == "cosine":
        means /= np.maximum(np.linalg.norm(means, axis=2, keepdims=True), np.float32(1e-12))
    return means


class Crossed:
    """Comparisons of enrolment photographs of everyone with looks at everyone else: who has how many of each tells
    how many comparisons there are."""

    def __init__(self, templates: Floats, looks: Floats, either: Floats) -> None:
        """For each person: enrolment photographs, (first) looks, and pictures that are both and count once."""
        self._photos, self._first, self._either = templates, looks, either
        self.terms = len(templates)

    def trials(self, weights: Weights) -> Floats:
        squared = weights**2
        ordered = (weights @ self._photos) * (weights @ self._first) - squared @ (self._photos * self._first)
        twice = (weights @ self._either) ** 2 - squared @ (self._either**2)
        return np.asarray(ordered - twice / 2, np.float64)

    def people_pairs(self) -> int:
        left, right = self._photos > 0, self._first > 0
        both = int(np.count_nonzero(left & right))
        ordered = int(np.count_nonzero(left)) * int(np.count_nonzero(right)) - both
        return ordered - both * (both - 1) // 2


class AllPairs(Crossed):
    """Every picture with every other, once."""

    def __init__(self, data: Embeddings) -> None:
        self._data = data
        either = data.enrolled & data.seen
        super().__init__(_count(data, data.enrolled), _count(data, data.seen), _count(data, either))

    def genuine(self) -> tuple[Scores, Indices]:
        scores, people = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)]
        for person, mine in enumerate(members(self._data, self._data.enrolled | self._data.seen)):
            if len(mine) > 1:
                block = similarities(self._data.templates[mine], self._data.probes[mine], self._data.metric)
                scores.append(block[_once(self._data, mine, mine)])
                people.append(np.full(len(scores[-1]), person, np.int32))
        return np.concatenate(scores), np.concatenate(people)

    def impostors(self) -> Iterator[Block]:
        data = self._data
        left, right = np.flatnonzero(data.enrolled), np.flatnonzero(data.seen)
        for rows in _slices(left, len(right)):
            scores = similarities(data.templates[rows], data.probes[right], data.metric)
            counted = _once(data, rows, right) & (data.person[rows][:, None] != data.person[right])
            yield Block(scores, counted, data.person[rows][:, None], data.person[right][None, :])


class AllPresentations(Crossed):
    """Every enrolment photograph before every person of whom there are at least two pictures: each picture is the
    first look once, and the person's others follow, at most `looks` in all."""

    def __init__(self, data: Embeddings, looks: int, *, seed: int = 0) -> None:
        self._data, self._looks = data, looks
        dice = np.random.default_rng(seed)
        self._order = [dice.permutation(pictures) for pictures in members(data, data.seen)]
        several = np.array([len(order) > 1 for order in self._order], np.bool_)
        super().__init__(_count(data, data.enrolled), _count(data, data.seen) * several, np.zeros(data.people))

    def genuine(self) -> tuple[Scores, Indices]:
        """Against each of a person's photographs, the looks are at the others; there must be two of them."""
        data = self._data
        scores, people = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)]
        for person, (order, mine) in enumerate(zip(self._order, members(data, data.enrolled), strict=True)):
            for template in mine:
                others = order[order != template]
                if len(others) > 1:
                    best = _best(data.templates[template][None], self._means(others), data.metric)[0]
                    scores.append(best)
                    people.append(np.full(len(best), person, np.int32))
        return np.concatenate(scores), np.concatenate(people)

    def impostors(self) -> Iterator[Block]:
        data = self._data
        left = np.flatnonzero(data.enrolled)
        for means, whose in self._sequences():
            for rows in _slices(left, len(whose)):
                scores = _best(data.templates[rows], means, data.metric)
                yield Block(scores, data.person[rows][:, None] != whose, data.person[rows][:, None], whose[None, :])

    def _sequences(self) -> Iterator[tuple[Scores, Indices]]:
        """Fused looks of many people at a time, and whose they are. Short sequences are filled up with their last
        mean, which changes no maximum."""
        means: list[Scores] = []
        whose: list[Indices] = []
        for person, order in enumerate(self._order):
            if len(order) > 1:
                mine = self._means(order)
                means.append(np.pad(mine, ((0, 0), (0, self._looks - mine.shape[1]), (0, 0)), "edge"))
                whose.append(np.full(len(mine), person, np.int32))
            if sum(map(len, whose)) >= TOGETHER or (means and person == len(self._order) - 1):
                yield np.concatenate(means), np.concatenate(whose)
                means, whose = [], []

    def _means(self, order: NDArray[np.intp]) -> Scores:
        looks = rotations(order, self._looks)
        return fused(self._data.probes[looks], self._data.weights[looks], self._data.metric)


def rotations(order: NDArray[np.intp], looks: int) -> NDArray[np.intp]:
    """Each picture first once, the others after it in turn: (pictures, looks), no picture twice in a row of looks."""
    length = len(order)
    return np.asarray(order[(np.arange(length)[:, None] + np.arange(min(looks, length))) % length], np.intp)


def _best(templates: Scores, means: Scores, metric: str) -> Scores:
    """The highest score of each template with the fused looks of each sequence, (templates, sequences)."""
    best = similarities(templates, means[:, 0], metric)
    for look in range(1, means.shape[1]):
        np.maximum(best, similarities(templates, means[:, look], metric), out=best)
    return best


def _once(data: Embeddings, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of rows x columns count: enrolment photograph against probe, a picture never with itself, and of the two
    directions of a pair only one where both are possible."""
    both = data.enrolled & data.seen
    possible = data.enrolled[rows][:, None] & data.seen[columns][None, :]
    turned = both[rows][:, None] & both[columns][None, :]
    return possible & np.where(turned, rows[:, None] < columns[None, :], rows[:, None] != columns[None, :])


def _count(data: Embeddings, flags: NDArray[np.bool_]) -> Floats:
    return np.bincount(data.person[flags], minlength=data.people).astype(np.float64)


def members(data: Embeddings, flags: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The numbers of each person's pictures, of those flagged."""
    chosen = np.flatnonzero(flags)
    ordered = chosen[np.argsort(data.person[chosen], kind="stable")]
    return np.split(ordered, np.cumsum(np.bincount(data.person[chosen], minlength=data.people))[:-1])


def _slices(rows: NDArray[np.intp], width: int) -> Iterator[NDArray[np.intp]]:
    step = max(1, BLOCK // max(1, width))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
