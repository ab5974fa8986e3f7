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

from edgegate.clock import Clock
from edgegate.decision import lights, next_deadline, step
from edgegate.errors import DiskFull, EdgeGateError, StoreError, TemplateUnreadable
from edgegate.model import (
    BadgeChecked,
    CodeSeen,
    Credential,
    Detail,
    Event,
    FaultsNow,
    Frame,
    Look,
    Looked,
    NotRecorded,
    Reason,
    Status,
    TemplateRefused,
    Tick,
    Withdrawn,
)
from edgegate.ports import BadgeBook, DecisionNote, Faces, HintNote, Observer, Signals, StateNote
from edgegate.state import (
    Action,
    Check,
    Decide,
    Forget,
    Hint,
    KeepConsent,
    OpenTemplate,
    Phase,
    Rules,
    State,
    WithdrawConsent,
)
from edgegate.stores import CONSENT, Entry, Journal, Vault
from edgegate.watch import Chores, Health, Watch

log = logging.getLogger(__name__)


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
        withdraw: Callable[[bytes], str],
        max_age_s: float,
        health: Sequence[Health] = (),
        observers: Sequence[Observer] = (),
        chores: Chores = lambda now: (),
    ) -> None:
        """`withdraw` erases the consent and the template of a handle, and gives what the journal says of the check."""
        self.state = State(rules, since=clock.monotonic())
        self._clock, self._book, self._vault, self._faces = clock, book, vault, faces
        self._withdraw, self._max_age_s = withdraw, max_age_s
        self._watch = Watch(
            clock=clock,
            vault=vault,
            journal=journal,
            signals=signals,
            health=health,
            observers=observers,
            chores=chores,
            failing=frozenset() if faces is not None else frozenset({Reason.MODELS_MISSING}),
        )
        self._credential: Credential | None = None
        self._noted: StateNote | None = None
        self._looked_at = 0
        self._lap, self._spent = perf_counter(), 0.0

    def turn(self, events: Iterable[Event] = (), frame: Frame | None = None) -> None:
        """One turn of the loop."""
        self._lap = perf_counter()
        for event in (*self._watch.turn(self.state), *events):
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
        self._watch.close()

    def _handle(self, event: Event) -> None:
        waiting = deque([event])
        while waiting:
            now = self._clock.monotonic()
            self.state, actions = step(self.state, waiting.popleft(), now)
            for action in actions:
                waiting.extend(self._do(action))
            # A decision is recorded (above) before it is shown: no light without an entry.
            if not waiting:
                self._watch.show(lights(self.state, now))
            if not waiting or self.state.phase is Phase.CHECKING:
                self._tell_state()
        self._credential = None  # which may hold the badge's key

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
            case WithdrawConsent(handle=handle):
                return self._withdraw_consent(handle)
            case KeepConsent(handle=handle):
                self._watch.record(Entry(int(self._clock.wall()), CONSENT, reason="kept", handle=handle))
            case Hint(kind=kind):
                self._watch.tell(HintNote(kind))
        return ()

    def _known_number(self, event: Event) -> Event:
        """A plain number is a badge only where the vault knows it; everything else that is none is ignored."""
        if not isinstance(event, CodeSeen) or event.credible:
            return event
        number = self._book.plain(event.code.text, typed=not event.code.steady)
        if number is None:
            return event
        try:
            standing = self._vault.standing(number)
            known = standing.altered or standing.status is not Status.UNKNOWN
        except StoreError as error:
            self._watch.fail(Reason.VAULT_UNREADABLE, error)
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
            self._watch.fail(Reason.VAULT_UNREADABLE, error)
            return FaultsNow(self._watch.faults()), BadgeChecked(badge_expired=found.expires <= wall)
        self._credential = found
        if standing.altered:
            return (BadgeChecked(standing.status, standing.handle, altered=True),)
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
            self._watch.fail(Reason.VAULT_UNREADABLE, error)
            return (FaultsNow(self._watch.faults()),)
        return ()

    def _withdraw_consent(self, handle: bytes) -> Sequence[Event]:
        """Erase at once and record it; a failure leaves all as it was, and the student hears that it did."""
        try:
            checked = self._withdraw(handle)
        except EdgeGateError as error:
            fault = Reason.DISK_FULL if isinstance(error, DiskFull) else Reason.VAULT_UNREADABLE
            if isinstance(error, StoreError):
                self._watch.fail(fault, error)
            else:
                log.error("a consent was not withdrawn: %s", error)
            return (Withdrawn(fault),)
        self._watch.record(Entry(int(self._clock.wall()), CONSENT, reason="withdrawn", detail=checked, handle=handle))
        return (Withdrawn(),)

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
        recorded = self._watch.record(entry)
        if recorded or verdict.reason is not Reason.MATCH:
            note = DecisionNote(action.presentation, verdict.decision, verdict.reason, verdict.detail, latency_ms)
            self._watch.tell(note)
        return () if recorded else (NotRecorded(Reason.DISK_FULL),)

    def _tell_state(self) -> None:
        state = self.state
        note = StateNote(state.phase, state.verdict, state.faults)
        if note != self._noted:
            self._noted = note
            self._watch.tell(note)
