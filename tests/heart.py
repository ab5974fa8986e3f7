"""What the tests of `decision.step` share: badges, and a heart on a watch that the tests move by hand."""

from __future__ import annotations

from edgegate.decision import step
from edgegate.model import (
    BadgeChecked,
    Button,
    Code,
    CodeSeen,
    Event,
    FaultsNow,
    LockdownSet,
    Look,
    Looked,
    Pressed,
    Reason,
    Status,
    Tick,
    Verdict,
    WithdrawalArmed,
)
from edgegate.state import Action, Check, Phase, Rules, State

HANDLE, OTHER_HANDLE = b"a" * 32, b"b" * 32
ANA, BEN = Code("EG1:ANA"), Code("EG1:BEN")
VOLUNTEER = BadgeChecked(Status.VOLUNTEER, HANDLE)
DIARY = BadgeChecked(Status.DIARY, HANDLE)
REVOKED = BadgeChecked(Status.REVOKED, HANDLE)
ALTERED = BadgeChecked(Status.VOLUNTEER, HANDLE, altered=True)
ACKNOWLEDGE, DIARY_SEEN = Pressed(Button.ACKNOWLEDGE), Pressed(Button.DIARY)
nothing: tuple[Action, ...] = ()


class Heart:
    """A state, and the second it is; `send` hands it an event some seconds later."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.state, self.now = State(rules or Rules()), 100.0

    def send(self, event: Event, after: float = 0.0) -> tuple[Action, ...]:
        self.now += after
        self.state, actions = step(self.state, event, self.now)
        return actions

    def faults(self, *faults: Reason) -> tuple[Action, ...]:
        return self.send(FaultsNow(frozenset(faults)))

    def shown(self, code: Code, badge: BadgeChecked, after: float = 0.0) -> tuple[Action, ...]:
        """Show a code and answer its check. Returns what the answer led to."""
        assert (Check(code),) == self.send(CodeSeen(code), after)
        return self.send(badge)

    def looks(self, *looks: Look) -> None:
        for look in looks:
            self.send(Looked(look))

    def rejected_times(self, times: int, reason: Reason, code: Code = ANA, badge: BadgeChecked = VOLUNTEER) -> None:
        """Show a badge with another person's face, so many times, each alarm acknowledged; always this reason."""
        for _ in range(times):
            self.shown(code, badge, after=2.0)
            if self.state.wants_face:
                self.looks(Look.BELOW, Look.BELOW, Look.BELOW)
                self.send(Tick(), 3.0)
            assert Verdict(reason) == self.state.verdict
            self.send(ACKNOWLEDGE)

    def stands(self) -> tuple[Phase, Verdict | None]:
        return self.state.phase, self.state.verdict


def standing(phase: Phase, reason: Reason | None = None, detail: str | None = None) -> tuple[Phase, Verdict | None]:
    return phase, None if reason is None else Verdict(reason, detail)


def heart_at(phase: Phase) -> Heart:
    """A gate that has come to this phase by itself, at second 100."""
    heart = Heart()
    match phase:
        case Phase.FAULT:
            heart.faults(Reason.CAMERA_LOST)
        case Phase.LOCKDOWN:
            heart.send(LockdownSet(True))
        case Phase.CHECKING:
            heart.send(CodeSeen(ANA))
        case Phase.LOOKING:
            heart.shown(ANA, VOLUNTEER)
        case Phase.CONFIRMING:
            heart.send(WithdrawalArmed())
            heart.shown(ANA, VOLUNTEER)
        case Phase.GRANTED:
            heart.shown(ANA, VOLUNTEER)
            heart.looks(Look.MATCH)
        case Phase.ALARM:
            heart.shown(ANA, REVOKED)
        case Phase.REFER:
            heart.shown(ANA, DIARY)
    assert phase is heart.state.phase
    return heart
