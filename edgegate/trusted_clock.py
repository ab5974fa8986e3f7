"""The machine's wall clock, believed only while it can be true.

A board without a battery-backed clock boots in the past, and a failing one may boot anywhere. Expiry dates and
retention hang on that clock, so it is measured against three things that cannot lie ahead of it: the day this
version was built, the newest row of the journal, and its own reading a moment ago moved on by the monotonic
clock. While it is not believed, `wall` is the newest time that is known to have passed: dates beyond it are not
known to be over, nothing is purged too early, and no row is written into the future.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edgegate.clock import Clock
from edgegate.errors import EdgeGateError
from edgegate.model import Reason
from edgegate.stores import KnownTime

log = logging.getLogger(__name__)

SLACK_S = 120.0
"""A time server may set the clock back by this much without anybody having to look."""
JUMP_S = 365 * 86_400.0
ASK_S = 1.0
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches this file once a time server has set the clock in this boot."""


class TrustedClock:
    """Port `Clock`. `known` asks the journal for its newest time; `built` is when this version was made."""

    def __init__(
        self,
        machine: Clock,
        known: Callable[[], KnownTime],
        built: int,
        synchronised: Callable[[], bool] = SYNCHRONISED.exists,
    ) -> None:
        self._machine, self._known, self._built, self._synchronised = machine, known, built, synchronised
        self._lock = threading.Lock()
        first = known()
        self._accepted = first.accepted
        self._floor = float(max(built, first.at))
        self._floor_at = machine.monotonic()
        self._jumps = first.at > 0
        """Whether the floor says enough to call a clock far ahead of it wrong: a build date does not."""
        self._asked_at = self._floor_at
        self._doubt = ""

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, UTC: the machine's while it is believed, otherwise the newest known time."""
        with self._lock:
            machine, floor = self._machine.wall(), self._bound()
            self._judge(machine, floor)
            return floor if self._doubt else machine

    def faults(self, now: float) -> frozenset[Reason]:
        """`clock_untrusted` while it is."""
        self.wall()
        if self._doubt and now - self._asked_at >= ASK_S:
            self._asked_at = now
            self._ask()
        return frozenset({Reason.CLOCK_UNTRUSTED}) if self._doubt else frozenset()

    def _bound(self) -> float:
        """The newest time known to have passed."""
        return self._floor + (self._machine.monotonic() - self._floor_at)

    def _judge(self, machine: float, floor: float) -> None:
        doubt = ""
        if machine < floor - SLACK_S:
            doubt = "is before what the journal or this version knows"
        elif self._jumps and machine > floor + JUMP_S and not self._synchronised():
            doubt = "is more than a year ahead of the last known time"
        if doubt and not self._doubt:
            log.error(
                "%s: the clock says %s, which %s; set it, or run `edgegate clock accept` if it is right",
                Reason.CLOCK_UNTRUSTED.value,
                _shown(machine),
                doubt,
                extra={"fault": Reason.CLOCK_UNTRUSTED.value},
            )
        elif self._doubt and not doubt:
            log.warning(
                "%s: over, the clock says %s",
                Reason.CLOCK_UNTRUSTED.value,
                _shown(machine),
                extra={"fault": Reason.CLOCK_UNTRUSTED.value},
            )
        self._doubt = doubt
        if not doubt:
            self._floor, self._floor_at, self._jumps = machine, self._machine.monotonic(), True

    def _ask(self) -> None:
        """Has somebody accepted the clock since? Then what they accepted is the newest known time."""
        try:
            known = self._known()
        except EdgeGateError:
            return  # the journal has a fault of its own, and the gate says so
        if known.accepted > self._accepted:
            with self._lock:
                self._accepted = known.accepted
                self._floor, self._floor_at = float(max(self._built, known.at)), self._machine.monotonic()


def _shown(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{moment:.0f} s"
