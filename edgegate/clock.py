"""Time for the loop: the machine's own, or a virtual one that moves only when told to."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, twice."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, UTC; for records and expiry dates only, it may jump."""
        ...


class RealClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


class VirtualClock:
    """A clock in step with recorded frames: `advance_to` is the only thing that moves it.

    The wall time starts at `wall` (by default the machine's time at construction) and moves along.
    """

    def __init__(self, wall: float | None = None) -> None:
        self._now = 0.0
        self._start = time.time() if wall is None else wall

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._start + self._now

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back with a negative number; the monotonic one does not move."""
        self._start += seconds

    def advance_to(self, moment: float) -> None:
        """Move to `moment` (monotonic seconds); a moment already past changes nothing."""
        self._now = max(self._now, moment)
