"""The one loop that owns the state: events in, `decision.step`, actions out.

`turn` is called again and again by `pace`: with the events that came in, and with the newest frame. It never
waits. Face work happens here and only while `state.wants_face`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TypeAlias

from edgegate.clock import Clock
from edgegate.decision import lights, next_deadline, step
from edgegate.errors import EdgeGateError, SignalsLost, StoreError, TemplateUnreadable
from edgegate.model import (
    BadgeChecked,
    CodeSeen,
    Credential,
    Detail,
    Event,
    FaultsNow,
    Frame,
    LockdownSet,
    Look,
    Looked,
    NotRecorded,
    Reason,
    Status,
    TemplateRefused,
    Tick,
)
from edgegate.ports import (
    BadgeBook,
    DecisionNote,
    Entry,
    Faces,
    HintNote,
    Journal,
    Note,
    Observer,
    SignalNote,
    Signals,
    StateNote,
    Vault,
)
from edgegate.state import Action, Check, Decide, Forget, Hint, Lights, OpenTemplate, Phase, Rules, State

log = logging.getLogger(__name__)

Health: TypeAlias = Callable[[float], frozenset[Reason]]
"""What is wrong with a source at this monotonic second."""

WATCH_S = 1.0
"""How often what failed is tried again, and the vault asked for a lockdown."""
CHORES_S = 3600.0


class Gate:
    """Everything is handed in; nothing here knows which adapter it talks to."""

    def __init__(
        self,
        *,
        rules: Rules,
        clock: Clock,
        book: BadgeBook,
        vault: Vault,
        faces: Faces | None,
        journal: Journal,
        signals: Signals,
        max_age_s: float,
        health: Sequence[Health] = (),
        observers: Sequence[Observer] = (),
        chores: Callable[[int], object] = lambda now: None,
    ) -> None:
        self.state = State(rules, since=clock.monotonic())
        self._clock, self._book, self._vault, self._faces = clock, book, vault, faces
        self._journal, self._signals, self._max_age_s = journal, signals, max_age_s
        self._health, self._observers, self._chores = tuple(health), tuple(observers), chores
        self._credential: Credential | None = None
        self._failing: set[Reason] = set() if faces is not None else {Reason.MODELS_MISSING}
        self._lights: Lights | None = None
        self._noted: StateNote | None = None
        self._looked_at = 0
        self._watched_at = self._chores_at = float("-inf")
        self._lap, self._spent = perf_counter(), 0.0

    def turn(self, events: Iterable[Event] = (), frame: Frame | None = None) -> None:
        """One turn of the loop."""
        self._lap = perf_counter()
        for event in (*self._watch(), *events):
            self._handle(self._known_number(event))
        if self.state.wants_face and frame is not None:
            self._look(frame)
        self._handle(Tick())
        if not self.state.at_rest:
            self._spent += perf_counter() - self._lap

    def wait_s(self, longest: float) -> float:
        """How long the loop may wait for events, in seconds."""
        now = self._clock.monotonic()
        deadline = next_deadline(self.state, now)
        return longest if deadline is None else min(longest, max(0.0, deadline - now))

    def close(self) -> None:
        """Wipe what is in memory, leave the outputs at their fault values, and say so."""
        if self._faces is not None:
            self._faces.end()
        self._credential = None
        self._signals.close()
        self._tell(SignalNote(Lights.FAULT, self._signals.levels()))

    def _handle(self, event: Event) -> None:
        waiting = deque([event])
        while waiting:
            now = self._clock.monotonic()
            self.state, actions = step(self.state, waiting.popleft(), now)
            for action in actions:
                waiting.extend(self._do(action))
            # A decision is recorded (above) before it is shown: no light without an entry.
            if not waiting:
                self._show(now)
            if not waiting or self.state.phase is Phase.CHECKING:
                self._tell_state()

    def _do(self, action: Action) -> Sequence[Event]:
        """Carry an action out. Returns what the state has to hear of it."""
        match action:
            case Check(code=code):
                self._lap, self._spent = perf_counter(), 0.0
                return self._check(code.text)
            case OpenTemplate():
                return self._open_template()
            case Forget():
                if self._faces is not None:
                    self._faces.end()
            case Decide():
                return self._decide(action)
            case Hint(kind=kind):
                self._tell(HintNote(kind))
        return ()

    def _known_number(self, event: Event) -> Event:
        """A plain number is a badge only where the vault knows it; everything else that is none is ignored."""
        if not isinstance(event, CodeSeen) or event.credible:
            return event
        number = self._book.plain(event.code.text, typed=not event.code.steady)
        if number is None:
            return event
        try:
            known = self._vault.standing(number).status is not Status.UNKNOWN
        except StoreError as error:
            self._fail(Reason.VAULT_UNREADABLE, error)
            known = True  # it may be one: a person decides, and the student is not ignored
        return replace(event, credible=known)

    def _check(self, text: str) -> Sequence[Event]:
        found = self._book.verify(text)
        if isinstance(found, Detail):
            return (BadgeChecked(forged=found),)
        if found is None:
            return (BadgeChecked(),)
        wall = self._clock.wall()
        try:
            standing = self._vault.standing(found)
        except StoreError as error:
            self._fail(Reason.VAULT_UNREADABLE, error)
            return FaultsNow(self._faults()), BadgeChecked(badge_expired=found.expires <= wall)
        self._credential = found
        until = found.expires if standing.badge_expires is None else min(found.expires, standing.badge_expires)
        lapsed = standing.consent is not None and standing.consent.expires <= wall
        return (BadgeChecked(standing.status, standing.handle, None, until <= wall, lapsed),)

    def _open_template(self) -> Sequence[Event]:
        credential, self._credential = self._credential, None
        if credential is None or self._faces is None:
            return (TemplateRefused(),)
        try:
            self._faces.begin(self._vault.unseal(credential, self._faces.pack_id))
        except TemplateUnreadable:
            return (TemplateRefused(),)
        except StoreError as error:
            self._fail(Reason.VAULT_UNREADABLE, error)
            return (FaultsNow(self._faults()),)
        return ()

    def _look(self, frame: Frame) -> None:
        """Look at a frame once, if it is fresh."""
        now = self._clock.monotonic()
        if self._faces is None or frame.number <= self._looked_at or now - frame.at > self._max_age_s:
            return
        self._looked_at = frame.number
        try:
            look = self._faces.look(frame.image)
        except Exception as error:
            # Native code may choke on a strange picture. That is a bad look, never a reason to open.
            log.error("a frame could not be looked at (%s)", type(error).__name__)
            look = Look.POOR_QUALITY
        self._handle(Looked(look, self._clock.monotonic() - now))

    def _decide(self, action: Decide) -> Sequence[Event]:
        verdict = action.verdict
        self._credential = None
        latency_ms = 0.0
        if action.presentation is not None:
            latency_ms = (self._spent + perf_counter() - self._lap) * 1000
            self._lap, self._spent = perf_counter(), 0.0
        entry = Entry(
            at=int(self._clock.wall()),
            kind="decision",
            decision=verdict.decision.value,
            reason=verdict.reason.value,
            detail=verdict.detail or "",
            presentation=action.presentation or 0,
            handle=action.handle,
            latency_ms=latency_ms,
        )
        recorded = self._record(entry)
        if recorded or verdict.reason is not Reason.MATCH:
            self._tell(DecisionNote(action.presentation, verdict.decision, verdict.reason, verdict.detail, latency_ms))
        return () if recorded else (NotRecorded(Reason.DISK_FULL),)

    def _record_over(self, fault: Reason) -> bool:
        return self._record(Entry(int(self._clock.wall()), "fault_over", reason=fault.value))

    def _record(self, entry: Entry) -> bool:
        try:
            self._journal.append(entry)
        except StoreError as error:
            self._fail(Reason.DISK_FULL, error)
            return False
        return True

    def _show(self, now: float) -> None:
        """Drive the lights when they change; after a failure `_retry` drives them again, changed or not."""
        wanted = lights(self.state, now)
        if wanted is self._lights:
            return
        self._lights = wanted
        try:
            self._signals.show(wanted)
            self._heal(Reason.SIGNALS_LOST)
        except SignalsLost as error:
            self._fail(Reason.SIGNALS_LOST, error)
        self._tell(SignalNote(wanted, self._signals.levels()))

    def _watch(self) -> list[Event]:
        """Ask every source for its faults, and try again what failed."""
        now = self._clock.monotonic()
        events: list[Event] = []
        if now - self._watched_at >= WATCH_S:
            self._watched_at = now
            self._retry()
            self._check_signals()
            try:
                locked = self._vault.locked()
                self._heal(Reason.VAULT_UNREADABLE)
                if locked is not self.state.locked:
                    events.append(LockdownSet(locked))
            except StoreError as error:
                self._fail(Reason.VAULT_UNREADABLE, error)
            if self.state.at_rest and now - self._chores_at >= CHORES_S:
                self._chores_at = now
                try:
                    self._chores(int(self._clock.wall()))
                except EdgeGateError as error:
                    log.error("housekeeping: %s", error)
        faults = self._faults()
        if faults != self.state.faults:
            for over in sorted(self.state.faults - faults - {Reason.DISK_FULL}):
                self._record_over(over)
            events.append(FaultsNow(faults))
        return events

    def _check_signals(self) -> None:
        if Reason.SIGNALS_LOST in self._failing:
            return
        try:
            self._signals.check()
        except SignalsLost as error:
            self._fail(Reason.SIGNALS_LOST, error)

    def _retry(self) -> None:
        # That it is over is the very row by which a full disk shows that it is.
        if Reason.DISK_FULL in self._failing and self._record_over(Reason.DISK_FULL):
            self._heal(Reason.DISK_FULL)
        if Reason.SIGNALS_LOST in self._failing:
            self._lights = None
            self._show(self._clock.monotonic())

    def _faults(self) -> frozenset[Reason]:
        now = self._clock.monotonic()
        return frozenset(self._failing).union(*(ask(now) for ask in self._health))

    def _fail(self, reason: Reason, error: EdgeGateError) -> None:
        """Log a fault once, when it begins."""
        if reason not in self._failing:
            log.error("%s: %s", reason.value, error, extra={"fault": reason.value})
            self._failing.add(reason)

    def _heal(self, reason: Reason) -> None:
        if reason in self._failing:
            log.warning("%s: over", reason.value, extra={"fault": reason.value})
            self._failing.discard(reason)

    def _tell_state(self) -> None:
        state = self.state
        note = StateNote(state.phase, state.verdict, state.faults)
        if note != self._noted:
            self._noted = note
            self._tell(note)

    def _tell(self, note: Note) -> None:
        for observer in self._observers:
            observer.note(note)
