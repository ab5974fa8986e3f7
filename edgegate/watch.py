"""The gate's watch over its own parts: which fail, what is tried again, what is due; the record of it, and the lights.

`gate` is the loop and knows presentations; this is the room beside it, and knows none.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TypeAlias

from edgegate.clock import Clock
from edgegate.decision import lights
from edgegate.errors import EdgeGateError, SignalsLost, StoreError
from edgegate.model import Event, FaultsNow, LockdownSet, Reason, WithdrawalArmed
from edgegate.ports import Note, Observer, SignalNote, Signals
from edgegate.state import Lights, State
from edgegate.stores import Entry, Journal, Vault

log = logging.getLogger(__name__)

Health: TypeAlias = Callable[[float], frozenset[Reason]]
"""What is wrong with a source at this monotonic second."""
Chores: TypeAlias = Callable[[int], Iterable[Entry]]
"""Lets go of what is past its date at this UTC second. Returns what the journal has to say of it."""

WATCH_S = 1.0
"""How often what failed is tried again, and the vault asked for what the office has left there."""
CHORES_S = 3600.0
CHORES_AGAIN_S = 60.0
"""After chores that failed."""
ROWS_A_ROUND = 20
"""A year's end may let a thousand consents lapse in one night; each row waits for the disk."""


class Watch:
    """Everything is handed in; nothing here knows which adapter it talks to."""

    def __init__(
        self,
        *,
        clock: Clock,
        vault: Vault,
        journal: Journal,
        signals: Signals,
        health: Sequence[Health] = (),
        observers: Sequence[Observer] = (),
        chores: Chores = lambda now: (),
        failing: frozenset[Reason] = frozenset(),
    ) -> None:
        """`failing` are faults that hold from the start and do not heal by themselves."""
        self._clock, self._vault, self._journal, self._signals = clock, vault, journal, signals
        self._health, self._observers, self._chores = tuple(health), tuple(observers), chores
        self._failing = set(failing)
        self._lights: Lights | None = None
        self._watched_at = float("-inf")
        self._listens = False
        """To words left in the vault: those from before the start were not meant for this run."""
        self._chores_due = float("-inf")
        self._day: tuple[date, date] | None = None
        self._owed: deque[Entry] = deque()

    def turn(self, state: State) -> list[Event]:
        """Ask every source for its faults; once a second, try again what failed and do what is due."""
        now = self._clock.monotonic()
        events: list[Event] = []
        if now - self._watched_at >= WATCH_S:
            self._watched_at = now
            self._retry(state, now)
            self._check_signals()
            events += self._ask_vault(state)
            if state.at_rest and Reason.VAULT_UNREADABLE not in self._failing:
                self._do_chores(now)
        faults = self.faults()
        if faults != state.faults:
            for over in sorted(state.faults - faults - {Reason.DISK_FULL}):
                self._record_over(over)
            events.append(FaultsNow(faults))
        return events

    def faults(self) -> frozenset[Reason]:
        """All that hold now."""
        now = self._clock.monotonic()
        return frozenset(self._failing).union(*(ask(now) for ask in self._health))

    def fail(self, reason: Reason, error: EdgeGateError) -> None:
        """Log a fault once, when it begins."""
        if reason not in self._failing:
            log.error("%s: %s", reason.value, error, extra={"fault": reason.value})
            self._failing.add(reason)

    def record(self, entry: Entry) -> bool:
        """Write to the journal. False, and a fault, when it cannot be written."""
        try:
            self._journal.append(entry)
        except StoreError as error:
            self.fail(Reason.DISK_FULL, error)
            return False
        return True

    def show(self, wanted: Lights) -> None:
        """Drive the lights when they change; after a failure they are driven again, changed or not."""
        if wanted is self._lights:
            return
        self._lights = wanted
        try:
            self._signals.show(wanted)
            self._heal(Reason.SIGNALS_LOST)
        except SignalsLost as error:
            self.fail(Reason.SIGNALS_LOST, error)
        self.tell(SignalNote(wanted, self._signals.levels()))

    def tell(self, note: Note) -> None:
        for observer in self._observers:
            observer.note(note)

    def close(self) -> None:
        """Leave the outputs at their fault values, and say so."""
        self._signals.close()
        self.tell(SignalNote(Lights.FAULT, self._signals.levels()))

    def _ask_vault(self, state: State) -> list[Event]:
        """Lockdown, and the word that somebody comes to withdraw consent."""
        try:
            locked, armed = self._vault.locked(), self._vault.take_withdrawal()
        except StoreError as error:
            self.fail(Reason.VAULT_UNREADABLE, error)
            return []
        self._heal(Reason.VAULT_UNREADABLE)
        armed, self._listens = armed and self._listens, True
        events: list[Event] = [LockdownSet(locked)] if locked is not state.locked else []
        return [*events, WithdrawalArmed()] if armed else events

    def _do_chores(self, now: float) -> None:
        """At the start, every hour, and when a new day has begun: for the people here, whose dates end at midnight, or
        for the journal, whose pseudonyms end with the day in UTC.

        The day is that of the believed clock, so that one far ahead lets nothing lapse.
        """
        wall = self._clock.wall()
        day = datetime.fromtimestamp(wall).date(), datetime.fromtimestamp(wall, UTC).date()
        if now >= self._chores_due or (self._day is not None and day != self._day):
            self._chores_due = now + CHORES_S
            try:
                self._owed.extend(self._chores(int(wall)))
                self._day = day
            except EdgeGateError as error:
                log.error("housekeeping: %s", error)
                self._day, self._chores_due = None, now + CHORES_AGAIN_S
        for _ in range(min(ROWS_A_ROUND, len(self._owed))):
            if not self.record(self._owed[0]):
                break
            self._owed.popleft()

    def _record_over(self, fault: Reason) -> bool:
        return self.record(Entry(int(self._clock.wall()), "fault_over", reason=fault.value))

    def _check_signals(self) -> None:
        if Reason.SIGNALS_LOST in self._failing:
            return
        try:
            self._signals.check()
        except SignalsLost as error:
            self.fail(Reason.SIGNALS_LOST, error)

    def _retry(self, state: State, now: float) -> None:
        # That it is over is the very row by which a full disk shows that it is.
        if Reason.DISK_FULL in self._failing and self._record_over(Reason.DISK_FULL):
            self._heal(Reason.DISK_FULL)
        if Reason.SIGNALS_LOST in self._failing:
            self._lights = None
            self.show(lights(state, now))

    def _heal(self, reason: Reason) -> None:
        if reason in self._failing:
            log.warning("%s: over", reason.value, extra={"fault": reason.value})
            self._failing.discard(reason)
