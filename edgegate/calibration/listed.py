"""Comparisons that a list names one by one: each row is a pair, and a presentation where its second person has more
pictures than the one that is the first look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.embed import Embeddings
from edgegate.calibration.pairs import PairList
from edgegate.calibration.scores import Block, Scores, fused, members
from edgegate.calibration.statistics import Accuracy, Floats, Indices, Weights, accuracy

LOOKS = 24_000
"""Looks compared at once."""


class Listed:
    """Port `Comparisons` over scores that were computed already."""

    def __init__(self, scores: Scores, same: NDArray[np.bool_], left: Indices, right: Indices) -> None:
        self._scores, self._same, self._left, self._right = scores, same, left, right
        pairs = np.stack([np.minimum(left, right)[~same], np.maximum(left, right)[~same]])
        self._pairs, self._counts = np.unique(pairs, axis=1, return_counts=True)
        self.terms = int(self._pairs.shape[1])

    def genuine(self) -> tuple[Scores, Indices]:
        return self._scores[self._same], self._left[self._same]

    def impostors(self) -> Iterator[Block]:
        other = ~self._same
        scores = self._scores[other]
        yield Block(scores, np.ones(len(scores), np.bool_), self._left[other], self._right[other])

    def trials(self, weights: Weights) -> Floats:
        drawn = weights[:, self._pairs[0]] * weights[:, self._pairs[1]]
        return np.asarray(drawn @ self._counts.astype(np.float64), np.float64)

    def people_pairs(self) -> int:
        return int(self._pairs.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows that can be compared: which picture serves as enrolment photograph, which as first look."""

    template: Indices
    probe: Indices
    same: NDArray[np.bool_]
    fold: Indices

    @classmethod
    def of(cls, pairs: PairList, data: Embeddings) -> Rows:
        """The first picture of a row is enrolled and the second looked at; the other way round where only that can
        be."""
        first, second = pairs.first, pairs.second
        straight = data.enrolled[first] & data.seen[second]
        usable = straight | (data.enrolled[second] & data.seen[first])
        template, probe = np.where(straight, first, second), np.where(straight, second, first)
        return cls(template[usable], probe[usable], pairs.same[usable], pairs.fold[usable])


def pairs_of(rows: Rows, data: Embeddings) -> tuple[Listed, Accuracy | None]:
    """Each row as one look, and the accuracy over the list's folds."""
    scores = _scores(rows, data, rows.probe[:, None], np.ones(len(rows.probe), np.intp))
    found = accuracy(scores.astype(np.float64), rows.same, rows.fold) if len(scores) else None
    return Listed(scores, rows.same, data.person[rows.template], data.person[rows.probe]), found


def presentations_of(rows: Rows, data: Embeddings, looks: int, *, seed: int = 0) -> tuple[Listed, Listed]:
    """Each row whose person has more pictures to look at: the row's own first, then the person's others in a random
    order that is the same for all rows. The enrolment photograph is never one of them.

    Returns the first looks alone, and whole presentations.
    """
    dice = np.random.default_rng(seed)
    order = [dice.permutation(pictures) for pictures in members(data, data.seen)]
    place = {int(picture): number for pictures in order for number, picture in enumerate(pictures)}
    sequences = np.zeros((len(rows.probe), looks), np.int32)
    lengths = np.zeros(len(rows.probe), np.intp)
    for number, (template, probe) in enumerate(zip(rows.template.tolist(), rows.probe.tolist(), strict=True)):
        pictures = order[data.person[probe]]
        turned = pictures[(place[probe] + np.arange(min(looks + 1, len(pictures)))) % len(pictures)]
        chosen = turned[turned != template][:looks]
        lengths[number] = len(chosen)
        sequences[number, : len(chosen)] = chosen
    several = lengths > 1
    kept = Rows(rows.template[several], rows.probe[several], rows.same[several], rows.fold[several])
    left, right = data.person[kept.template], data.person[kept.probe]
    first = _scores(kept, data, sequences[several, :1], np.ones(len(left), np.intp))
    return Listed(first, kept.same, left, right), Listed(
        _scores(kept, data, sequences[several], lengths[several]), kept.same, left, right
    )


def _scores(rows: Rows, data: Embeddings, sequences: Indices, lengths: NDArray[np.intp]) -> Scores:
    """The highest score of each row's template with the fused looks of its sequence; looks past its length do not
    count."""
    best = np.zeros(len(sequences), np.float32)
    step = max(1, LOOKS // sequences.shape[1])
    for start in range(0, len(sequences), step):
        part = slice(start, start + step)
        means = fused(data.probes[sequences[part]], data.weights[sequences[part]], data.metric)
        templates = data.templates[rows.template[part]]
        if data.metric == "cosine":
            scores = np.einsum("rd,rld->rl", templates, means)
        else:
            scores = 1.0 - np.linalg.norm(means - templates[:, None], axis=2)
        counted = np.arange(scores.shape[1]) < lengths[part, None]
        best[part] = np.where(counted, scores, -np.inf).max(axis=1)
    return best
