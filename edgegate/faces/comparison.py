"""The 1:1 comparison of one presentation: probes against one template, fused as they come."""

from __future__ import annotations

import numpy as np

from edgegate.memory import Wiped
from edgegate.model import Unsealed, Vector

LEAST_NORM = 1e-6
"""An embedding shorter than this has no direction."""
NO_NUMBERS = "gives no usable numbers"
"""What to say of a recogniser with others."""


def usable(vector: Vector) -> bool:
    """Finite, and not zero: an embedding with which something can be compared."""
    return LEAST_NORM <= float(np.linalg.norm(vector)) < np.inf


def score(a: Vector, b: Vector, metric: str) -> float:
    """Higher is closer: cosine similarity of two vectors, or 1 - their Euclidean distance."""
    if metric == "distance":
        with Wiped() as wiped:
            return 1.0 - float(np.linalg.norm(wiped(a - b)))
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / norms if 0 < norms < np.inf else -1.0


def mean(vectors: list[Vector], metric: str) -> Vector:
    """The average embedding; of unit length where the metric is cosine."""
    with Wiped() as wiped:
        middle = np.mean(wiped(np.stack(vectors)), axis=0, dtype=np.float32)
    if metric == "cosine":
        middle /= max(float(np.linalg.norm(middle)), 1e-12)
    return np.asarray(middle, np.float32)


class Comparison:
    """Takes the one template and holds it until `wipe`. The score itself never leaves it."""

    __slots__ = ("_metric", "_sum", "_template", "_threshold", "_weight")

    def __init__(self, unsealed: Unsealed, metric: str, threshold: float) -> None:
        self._template, self._metric, self._threshold = unsealed.take(), metric, threshold
        self._sum: Vector = np.zeros(self._template.vector.shape, np.float32)
        self._weight = 0.0

    def add(self, probe: Vector, weight: float = 1.0) -> bool:
        """Add a probe (its buffer is wiped) and tell whether the weighted mean of all probes reaches the threshold.

        Weights count squared: in motion one frame in six may be worth more than the others together. A probe that is
        not `usable`, of another size, or without a weight above zero is not added, and no match.
        """
        try:
            if probe.shape != self._sum.shape or not usable(probe) or not 0 < weight < np.inf:
                return False
            share = weight * weight
            probe *= np.float32(share)
            self._sum += probe
            self._weight += share
        finally:
            probe.fill(0)
        with Wiped() as wiped:
            fused = wiped(mean([wiped(self._sum / np.float32(self._weight))], self._metric))
            return score(fused, self._template.vector, self._metric) >= self._threshold

    def alone(self, probe: Vector) -> bool:
        """Does this one probe reach the threshold by itself? It is neither added nor wiped."""
        if probe.shape != self._sum.shape or not usable(probe):
            return False
        return score(probe, self._template.vector, self._metric) >= self._threshold

    def restart(self) -> None:
        """Forget the probes so far: another face stands there now, and two people are never averaged into one."""
        self._sum.fill(0)
        self._weight = 0.0

    def wipe(self) -> None:
        self._template.wipe()
        self._sum.fill(0)

    def __repr__(self) -> str:
        return "Comparison(…)"
