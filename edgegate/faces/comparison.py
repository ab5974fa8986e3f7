"""The 1:1 comparison of one presentation: probes against one template, fused as they come."""

from __future__ import annotations

import numpy as np

from edgegate.memory import Wiped
from edgegate.model import Unsealed, Vector


def score(a: Vector, b: Vector, metric: str) -> float:
    """Higher is closer: cosine similarity of two vectors, or 1 - their Euclidean distance."""
    if metric == "distance":
        with Wiped() as wiped:
            return 1.0 - float(np.linalg.norm(wiped(a - b)))
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / norms if norms > 0 else -1.0


def mean(vectors: list[Vector], metric: str) -> Vector:
    """The average embedding; of unit length where the metric is cosine."""
    with Wiped() as wiped:
        middle = np.mean(wiped(np.stack(vectors)), axis=0, dtype=np.float32)
    if metric == "cosine":
        middle /= max(float(np.linalg.norm(middle)), 1e-12)
    return np.asarray(middle, np.float32)


class Comparison:
    """Takes the one template and holds it until `wipe`. The score itself never leaves it."""

    __slots__ = ("_count", "_metric", "_sum", "_template", "_threshold")

    def __init__(self, unsealed: Unsealed, metric: str, threshold: float) -> None:
        self._template, self._metric, self._threshold = unsealed.take(), metric, threshold
        self._sum: Vector = np.zeros(self._template.vector.shape, np.float32)
        self._count = 0

    def add(self, probe: Vector) -> bool:
        """Add a probe (its buffer is wiped) and tell whether the mean of all probes reaches the threshold."""
        try:
            if probe.shape != self._sum.shape or not np.isfinite(probe).all():
                return False
            self._sum += probe
            self._count += 1
        finally:
            probe.fill(0)
        with Wiped() as wiped:
            fused = wiped(mean([wiped(self._sum / np.float32(self._count))], self._metric))
            return score(fused, self._template.vector, self._metric) >= self._threshold

    def wipe(self) -> None:
        self._template.wipe()
        self._sum.fill(0)

    def __repr__(self) -> str:
        return "Comparison(…)"
