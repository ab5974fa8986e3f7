"""What the gate remembers between two events, and what it may ask to be done: values only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from edgegate.model import Code, Look, Reason, Verdict


class Phase(StrEnum):
    """Where the gate stands. READY, FAULT and LOCKDOWN are at rest; the others end by themselves."""

    READY = "READY"
    CHECKING = "CHECKING"
    LOOKING = "LOOKING"
    CONFIRMING = "CONFIRMING"
    GRANTED = "GRANTED"
    ALARM = "ALARM"
    REFER = "REFER"
    FAULT = "FAULT"
    LOCKDOWN = "LOCKDOWN"


class Lights(StrEnum):
    """The patterns a gate can show; `signals.patterns` says what each looks and sounds like."""

    READY = "ready"
    LOOKING = "looking"
    CONFIRMING = "confirming"
    GRANTED = "granted"
    REFER = "refer"
    ALARM = "alarm"
    ALARM_SILENT = "alarm_silent"
    FAULT = "fault"
    LOCKDOWN = "lockdown"


class HintKind(StrEnum):
    """What to tell a student beside a presentation, or without one."""

    NOT_A_BADGE = "not_a_badge"
    ONE_AT_A_TIME = "one_at_a_time"
    """One badge, or one face."""
    COME_CLOSER = "come_closer"
    LOOK_AT_CAMERA = "look_at_camera"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    HOLD_STILL = "hold_still"
    STEP_INTO_PICTURE = "step_into_picture"
    UNCOVER_FACE = "uncover_face"
    WITHDRAWAL_ARMED = "withdrawal_armed"
    CONSENT_KEPT = "consent_kept"


@dataclass(frozen=True, slots=True)
class Rules:
    """The figures the decision works with, in seconds where they are times.

    The three-alarms rule follows NIST SP 800-63B-4 (draft), which allows at most five consecutive failures
    and then asks for a delay of 30 s or more; three is stricter because a supervisor stands beside.
    """

    granted_s: float = 2.0
    refer_s: float = 20.0
    alarm_s: float = 15.0
    buzzer_max_s: float = 15.0
    look_s: float = 3.0
    min_probes: int = 3
    enforce_liveness: bool = False
    """A suspected picture of a face is an alarm; otherwise the supervisor is asked to look."""
    again_after_s: float = 2.0
    """A code out of view for this long is a new presentation when it comes back."""
    attempts: int = 3
    attempts_within_s: float = 60.0
    attempts_pause_s: float = 30.0
    hint_after_s: float = 2.0
    hint_again_s: float = 10.0
    armed_s: float = 60.0
    """How long the gate waits for the badge whose consent is to be withdrawn."""
    confirm_s: float = 10.0
    settle_s: float = 1.0
    """A button that has confirmed a withdrawal opens nothing for so long: it may have been pressed twice."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Alarms in a row on one badge: when each was, and until when the badge has to wait."""

    times: tuple[float, ...] = ()
    paused_until: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """Everything `decision.step` knows. Times are monotonic seconds."""

    rules: Rules
    phase: Phase = Phase.READY
    since: float = 0.0
    until: float | None = None
    """When the phase ends by itself; None while at rest."""
    presentation: int = 0
    """Number of the presentation under way, or of the last one; counts from 1."""
    verdict: Verdict | None = None
    badge: bytes | None = field(default=None, repr=False)
    handle: bytes | None = field(default=None, repr=False)
    looks: tuple[Look, ...] = ()
    hinted: frozenset[HintKind] = frozenset()
    """What the student of this presentation was told while the gate was looking."""
    seen: tuple[tuple[bytes, float], ...] = field(default=(), repr=False)
    """Codes that had their presentation and are still in view, with the time of the last sight."""
    faults: frozenset[Reason] = frozenset()
    locked: bool = False
    attempts: tuple[tuple[bytes, Attempts], ...] = field(default=(), repr=False)
    foreign_since: float | None = None
    foreign_last: float = 0.0
    hinted_at: float | None = None
    armed_until: float | None = None
    """Until then a volunteer's badge asks whether its consent is to be withdrawn."""
    confirmed: bool = False
    """The supervisor has confirmed the withdrawal of this presentation."""

    @property
    def wants_face(self) -> bool:
        """True only between a volunteer's valid badge and the decision: no other phase may look at a face."""
        return self.phase is Phase.LOOKING

    @property
    def at_rest(self) -> bool:
        return self.phase in (Phase.READY, Phase.FAULT, Phase.LOCKDOWN)

    def rest(self, now: float) -> State:
        """The same gate with nobody in front of it."""
        phase = Phase.LOCKDOWN if self.locked else Phase.FAULT if self.faults else Phase.READY
        since = self.since if phase is self.phase else now
        return replace(
            self,
            phase=phase,
            since=since,
            until=None,
            verdict=None,
            badge=None,
            handle=None,
            looks=(),
            hinted=frozenset(),
            confirmed=False,
        )

    def paused_until(self, now: float) -> float | None:
        """Until when the badge under way has to wait after too many alarms; None when it has not."""
        until = dict(self.attempts).get(self.handle or b"", Attempts()).paused_until
        return until if until > now else None

    def counted(self, reason: Reason, now: float) -> State:
        """Three alarms in a row on one badge within a minute make it wait; a match forgives them."""
        rules = self.rules
        book = {
            key: value
            for key, value in self.attempts
            if value.paused_until > now or (value.times and now - value.times[-1] < rules.attempts_within_s)
        }
        if self.handle is not None and reason is Reason.MATCH:
            book.pop(self.handle, None)
        elif self.handle is not None and reason in (Reason.NO_MATCH, Reason.SPOOF_SUSPECTED):
            recent = book.get(self.handle, Attempts()).times
            times = (*(t for t in recent if now - t < rules.attempts_within_s), now)
            full = len(times) >= rules.attempts
            book[self.handle] = Attempts((), now + rules.attempts_pause_s) if full else Attempts(times)
        return replace(self, attempts=tuple(book.items()))


@dataclass(frozen=True, slots=True)
class Check:
    """Verify the signature and dates of this code and ask the vault; answer with `BadgeChecked`."""

    code: Code = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenTemplate:
    """Unseal the template of the badge just checked and look at fresh frames; answer with `Looked`."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Wipe template and probes: nobody's face is asked for any more."""


@dataclass(frozen=True, slots=True)
class Decide:
    """A decision to record and to show. `presentation` is None for a fault of the gate itself."""

    verdict: Verdict
    presentation: int | None
    handle: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WithdrawConsent:
    """Erase this badge's consent and template now; answer with `Withdrawn`."""

    handle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepConsent:
    """Record that a withdrawal was asked for and not confirmed."""

    handle: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hint:
    """Tell the student something that changes nothing."""

    kind: HintKind


Action: TypeAlias = Check | OpenTemplate | Forget | Decide | WithdrawConsent | KeepConsent | Hint
