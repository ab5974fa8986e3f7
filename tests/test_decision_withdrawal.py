"""The heart by examples: a consent withdrawn at the gate, or kept."""

from __future__ import annotations

import pytest

from edgegate.decision import lights
from edgegate.model import (
    BadgeChecked,
    Code,
    CodeSeen,
    Detail,
    LockdownSet,
    Look,
    Looked,
    Reason,
    Status,
    Tick,
    Verdict,
    WithdrawalArmed,
    Withdrawn,
)
from edgegate.state import (
    Action,
    Decide,
    Hint,
    HintKind,
    KeepConsent,
    Lights,
    OpenTemplate,
    Phase,
    WithdrawConsent,
)
from tests.heart import (
    ACKNOWLEDGE,
    ALTERED,
    ANA,
    BEN,
    DIARY,
    DIARY_SEEN,
    HANDLE,
    REVOKED,
    VOLUNTEER,
    Heart,
    heart_at,
    nothing,
    standing,
)

KEPT: tuple[Action, ...] = (KeepConsent(HANDLE), Hint(HintKind.CONSENT_KEPT))
DIARY_NOW = Decide(Verdict(Reason.NOT_ENROLLED), 1, HANDLE)


def test_a_withdrawal_is_armed_shown_confirmed_and_ends_in_the_diary_lane() -> None:
    """Nobody looks at the face; the badge is a diary badge from the same presentation on."""
    heart = Heart()
    assert (Hint(HintKind.WITHDRAWAL_ARMED),) == heart.send(WithdrawalArmed())
    assert standing(Phase.READY) == heart.stands()
    assert nothing == heart.shown(ANA, VOLUNTEER, after=59.9)
    assert (Phase.CONFIRMING, Lights.CONFIRMING) == (heart.state.phase, lights(heart.state, heart.now))
    assert not heart.state.wants_face
    assert (WithdrawConsent(HANDLE),) == heart.send(DIARY_SEEN, 9.9)
    assert Phase.CONFIRMING is heart.state.phase
    assert (DIARY_NOW,) == heart.send(Withdrawn())
    assert standing(Phase.REFER, Reason.NOT_ENROLLED) == heart.stands()
    assert (Decide(Verdict(Reason.SUPERVISOR), 1, HANDLE),) == heart.send(DIARY_SEEN, 5.0)


@pytest.mark.parametrize("after", [0.0, 9.9])
def test_the_acknowledge_button_keeps_the_consent(after: float) -> None:
    """Nothing is withdrawn, nothing decided; the next presentation of the same badge is an ordinary one."""
    heart = heart_at(Phase.CONFIRMING)
    assert KEPT == heart.send(ACKNOWLEDGE, after)
    assert standing(Phase.READY) == heart.stands()
    assert (OpenTemplate(),) == heart.shown(ANA, VOLUNTEER, after=3.0)


def test_without_an_answer_the_consent_is_kept() -> None:
    """Ten seconds, and not one button later."""
    for event in (Tick(), DIARY_SEEN, ACKNOWLEDGE):
        heart = heart_at(Phase.CONFIRMING)
        assert nothing == heart.send(Tick(), 9.9)
        assert KEPT == heart.send(event, 0.125)
        assert standing(Phase.READY) == heart.stands()


def test_one_arming_is_for_one_badge_within_a_minute() -> None:
    """After a minute, or a volunteer's badge, the gate looks at faces as before; armed anew, it asks again."""
    heart = Heart()
    heart.send(WithdrawalArmed())
    assert (OpenTemplate(),) == heart.shown(ANA, VOLUNTEER, after=60.0)
    heart.looks(Look.MATCH)
    heart.send(WithdrawalArmed(), 3.0)
    heart.shown(ANA, VOLUNTEER)
    assert KEPT == heart.send(ACKNOWLEDGE)
    assert (OpenTemplate(),) == heart.shown(BEN, VOLUNTEER)
    heart.looks(Look.MATCH)
    heart.send(WithdrawalArmed(), 3.0)
    assert nothing == heart.shown(ANA, VOLUNTEER)
    assert Phase.CONFIRMING is heart.state.phase


@pytest.mark.parametrize(
    ("badge", "reason"),
    [
        (DIARY, Reason.NOT_ENROLLED),
        (REVOKED, Reason.REVOKED),
        (ALTERED, Reason.TEMPLATE_UNREADABLE),
        (BadgeChecked(Status.UNKNOWN), Reason.UNKNOWN_BADGE),
        (BadgeChecked(forged=Detail.BAD_SIGNATURE), Reason.FORGED),
        (BadgeChecked(Status.VOLUNTEER, HANDLE, badge_expired=True), Reason.BADGE_EXPIRED),
        (BadgeChecked(Status.VOLUNTEER, HANDLE, consent_expired=True), Reason.CONSENT_EXPIRED),
    ],
)
def test_other_badges_do_not_use_the_arming_up(badge: BadgeChecked, reason: Reason) -> None:
    """Somebody else in the queue is decided as always, and the one who waits can still withdraw."""
    heart = Heart()
    heart.send(WithdrawalArmed())
    heart.shown(BEN, badge)
    assert heart.state.verdict is not None
    assert reason is heart.state.verdict.reason
    heart.send(ACKNOWLEDGE)
    heart.shown(ANA, VOLUNTEER, after=1.0)
    assert Phase.CONFIRMING is heart.state.phase


@pytest.mark.parametrize("fault", [Reason.CAMERA_LOST, Reason.MODELS_MISSING, Reason.CLOCK_UNTRUSTED])
def test_no_camera_is_needed_to_withdraw(fault: Reason) -> None:
    """No face is looked at, so a fault on that side keeps nobody from withdrawing."""
    heart = Heart()
    heart.faults(fault)
    heart.send(WithdrawalArmed())
    assert nothing == heart.shown(ANA, VOLUNTEER)
    assert Phase.CONFIRMING is heart.state.phase
    assert (WithdrawConsent(HANDLE),) == heart.send(DIARY_SEEN)


def test_a_vault_that_cannot_be_read_withdraws_nothing() -> None:
    """A person decides, as always under that fault."""
    heart = Heart()
    heart.faults(Reason.VAULT_UNREADABLE)
    heart.send(WithdrawalArmed())
    heart.shown(ANA, VOLUNTEER)
    assert standing(Phase.REFER, Reason.OUT_OF_ORDER, "vault_unreadable") == heart.stands()


def test_a_badge_with_too_many_alarms_waits_first() -> None:
    """Whoever tried three times with the wrong face does not get to withdraw the owner's consent."""
    heart = Heart()
    heart.rejected_times(3, Reason.NO_MATCH)
    heart.send(WithdrawalArmed())
    heart.shown(ANA, VOLUNTEER, after=3.0)
    assert standing(Phase.ALARM, Reason.TOO_MANY_ATTEMPTS) == heart.stands()


@pytest.mark.parametrize("fault", [Reason.DISK_FULL, Reason.VAULT_UNREADABLE])
def test_a_withdrawal_that_failed_is_no_withdrawal(fault: Reason) -> None:
    """Amber, with the fault: nobody is told that the consent is gone."""
    heart = heart_at(Phase.CONFIRMING)
    heart.send(DIARY_SEEN)
    refer = Verdict(Reason.OUT_OF_ORDER, fault.value)
    assert (Decide(refer, 1, HANDLE),) == heart.send(Withdrawn(fault))
    assert (Phase.REFER, refer) == heart.stands()


def test_a_slow_disk_does_not_take_a_confirmation_back() -> None:
    """Confirmed in the last moment and erased after it is still withdrawn, and never counts as kept."""
    heart = heart_at(Phase.CONFIRMING)
    heart.send(DIARY_SEEN, 9.9)
    assert (DIARY_NOW,) == heart.send(Withdrawn(), 30.0)
    heart = heart_at(Phase.CONFIRMING)
    heart.send(DIARY_SEEN, 9.9)
    assert (Decide(Verdict(Reason.OUT_OF_ORDER), 1, HANDLE),) == heart.send(Tick(), 1.0)


def test_a_button_pressed_twice_does_not_open() -> None:
    """What confirms a withdrawal does not let pass in the same breath; a second later the diary counts as always."""
    heart = heart_at(Phase.CONFIRMING)
    heart.send(DIARY_SEEN)
    assert nothing == heart.send(DIARY_SEEN)
    heart.send(Withdrawn(), 4.0)
    for after in (0.0, 0.5, 0.4):
        assert nothing == heart.send(DIARY_SEEN, after)
    assert standing(Phase.REFER, Reason.NOT_ENROLLED) == heart.stands()
    heart.send(DIARY_SEEN, 0.125)
    assert standing(Phase.GRANTED, Reason.SUPERVISOR) == heart.stands()


def test_after_a_withdrawal_the_next_diary_counts_at_once() -> None:
    """The second of rest belongs to that presentation alone."""
    heart = heart_at(Phase.CONFIRMING)
    heart.send(DIARY_SEEN)
    heart.send(Withdrawn())
    heart.shown(BEN, DIARY, after=0.1)
    assert (Decide(Verdict(Reason.SUPERVISOR), 2, HANDLE),) == heart.send(DIARY_SEEN)


def test_one_badge_at_a_time() -> None:
    """Another badge waits until the question is answered, and cannot be the one that is withdrawn."""
    heart = heart_at(Phase.CONFIRMING)
    typed = CodeSeen(Code("EG1:BEN", steady=False))
    assert (Hint(HintKind.ONE_AT_A_TIME),) == heart.send(typed)
    assert nothing == heart.send(CodeSeen(BEN))
    assert nothing == heart.send(Looked(Look.MATCH))
    assert (WithdrawConsent(HANDLE),) == heart.send(DIARY_SEEN)


def test_a_lockdown_comes_first() -> None:
    """Red, and the consent is kept; nobody decides about it in an emergency."""
    heart = heart_at(Phase.CONFIRMING)
    locked = Decide(Verdict(Reason.LOCKDOWN), 1, HANDLE)
    assert (KeepConsent(HANDLE), locked) == heart.send(LockdownSet(True))
    assert standing(Phase.ALARM, Reason.LOCKDOWN) == heart.stands()
    heart = heart_at(Phase.CONFIRMING)
    heart.send(DIARY_SEEN)
    assert (locked,) == heart.send(LockdownSet(True))


def test_a_fault_that_begins_meanwhile_changes_nothing() -> None:
    """The question stays, and so does its deadline."""
    heart = heart_at(Phase.CONFIRMING)
    heart.faults(Reason.CAMERA_LOST)
    assert Phase.CONFIRMING is heart.state.phase
    assert (WithdrawConsent(HANDLE),) == heart.send(DIARY_SEEN)
