"""Error rates with their exact 95 % intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors in trials, and the 95 % interval of the rate."""

    errors: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """Not a number where nothing was tried."""
        return self.errors / self.trials if self.trials else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """With the rate itself; null where nothing was tried."""
        return {"rate": self.value if self.trials else None, **asdict(self)}


def clopper_pearson(errors: int, trials: int) -> tuple[float, float]:
    """The exact binomial interval (Clopper and Pearson, Biometrika 26, 1934); (0, 1) where nothing was tried."""
    # scipy loads slowly, and only this function needs it.
    from scipy.special import betaincinv

    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors in {trials} trials")
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(errors, trials - errors + 1, tail)) if errors else 0.0
    high = float(betaincinv(errors + 1, trials - errors, 1 - tail)) if errors < trials else 1.0
    return low, high


def independent(errors: int, trials: int) -> Rate:
    """The rate of trials that share nobody."""
    return Rate(errors, trials, *clopper_pearson(errors, trials))
