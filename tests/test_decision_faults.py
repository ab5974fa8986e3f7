"""The heart by examples: faults, what could not be recorded, and lockdown."""

from __future__ import annotations

import pytest

from edgegate.decision import BLOCKS_FACES
from edgegate.model import (
    FAULTS,
    BadgeChecked,
    Code,
    CodeSeen,
    Detail,
    FaultsNow,
    LockdownSet,
    NotRecorded,
    Reason,
    Tick,
    Verdict,
)
from edgegate.state import Decide, Forget, Phase
from tests.heart import ACKNOWLEDGE, ANA, DIARY_SEEN, HANDLE, REVOKED, VOLUNTEER, Heart, heart_at, nothing, standing

FORGED = BadgeChecked(forged=Detail.BAD_SIGNATURE)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_fault_is_told_once_and_heals(fault: Reason) -> None:
    """A fault is a decision without a presentation, FAULT, and READY alone when it is over."""
    heart = Heart()
    assert (Decide(Verdict(fault), None),) == heart.faults(fault)
    assert standing(Phase.FAULT) == heart.stands()
    fresh = {Reason.DISK_FULL} - {fault}
    assert tuple(Decide(Verdict(reason), None) for reason in fresh) == heart.faults(fault, Reason.DISK_FULL)
    assert nothing == heart.faults(fault)
    assert nothing == heart.faults()
    assert standing(Phase.READY) == heart.stands()


def test_only_faults_are_faults() -> None:
    """A reason of another kind never takes the gate out of service."""
    heart = Heart()
    assert nothing == heart.faults(Reason.NO_FACE)
    assert standing(Phase.READY) == heart.stands()


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_fault_does_not_blind_the_badge_side(fault: Reason) -> None:
    """Under a fault forged and revoked badges alarm, a volunteer is referred, with the fault as detail."""
    heart = Heart()
    heart.faults(fault)
    stood = []
    for number, badge in enumerate((FORGED, REVOKED, VOLUNTEER)):
        heart.shown(Code(f"EG1:{number}"), badge)
        stood.append(heart.stands())
        heart.send(ACKNOWLEDGE)
    referred = standing(Phase.REFER, Reason.OUT_OF_ORDER, fault.value)
    # A lost reader leaves the other readers their work.
    third = standing(Phase.LOOKING) if fault is Reason.READER_LOST else referred
    forged = standing(Phase.ALARM, Reason.FORGED, "bad_signature")
    assert [forged, standing(Phase.ALARM, Reason.REVOKED), third] == stood
    assert (fault in BLOCKS_FACES) == (heart.state.phase is Phase.FAULT)


def test_unreadable_vault_calls_nobody_unknown() -> None:
    """Without the vault the gate cannot know a badge: it is out of order, and says so."""
    heart = Heart()
    heart.faults(Reason.VAULT_UNREADABLE)
    heart.shown(ANA, BadgeChecked())
    assert standing(Phase.REFER, Reason.OUT_OF_ORDER, "vault_unreadable") == heart.stands()


def test_fault_while_looking_refers() -> None:
    """A camera lost under the student's nose ends the look; a lost reader does not."""
    heart = heart_at(Phase.LOOKING)
    assert (Decide(Verdict(Reason.READER_LOST), None),) == heart.faults(Reason.READER_LOST)
    assert heart.state.wants_face
    expected = (
        Decide(Verdict(Reason.CAMERA_LOST), None),
        Forget(),
        Decide(Verdict(Reason.OUT_OF_ORDER, "camera_lost"), 1, HANDLE),
    )
    assert expected == heart.faults(Reason.READER_LOST, Reason.CAMERA_LOST)


@pytest.mark.parametrize("phase", [Phase.GRANTED, Phase.REFER, Phase.ALARM])
def test_fault_waits_for_the_light_to_end(phase: Phase) -> None:
    """What was decided stands; FAULT comes when the gate would be at rest."""
    heart = heart_at(phase)
    heart.faults(Reason.CAMERA_DARK)
    assert phase is heart.state.phase
    heart.send(Tick(), 20.0)
    assert standing(Phase.FAULT) == heart.stands()


def test_match_not_recorded_is_referred() -> None:
    """No green light without an entry in the journal; and a referral not recorded either stays one."""
    heart = heart_at(Phase.GRANTED)
    refer = Decide(Verdict(Reason.OUT_OF_ORDER, "disk_full"), 1, HANDLE)
    assert (refer,) == heart.send(NotRecorded(Reason.DISK_FULL))
    assert nothing == heart.send(NotRecorded(Reason.DISK_FULL))
    assert standing(Phase.REFER, Reason.OUT_OF_ORDER, "disk_full") == heart.stands()


def test_supervisors_grant_stands_unrecorded() -> None:
    """A person has opened; the machine does not shut the door in a student's face."""
    heart = heart_at(Phase.REFER)
    heart.send(DIARY_SEEN)
    assert nothing == heart.send(NotRecorded(Reason.DISK_FULL))
    assert standing(Phase.GRANTED, Reason.SUPERVISOR) == heart.stands()


@pytest.mark.parametrize("phase", list(Phase))
def test_lockdown_from_everywhere(phase: Phase) -> None:
    """Whatever the gate was doing, it ends locked: what is under way alarms, an alarm is shown to its end."""
    heart = heart_at(phase)
    decided = [action.verdict for action in heart.send(LockdownSet(True)) if isinstance(action, Decide)]
    under_way = phase in (Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING)
    assert [Verdict(Reason.LOCKDOWN)] * under_way == decided
    assert (Phase.ALARM if under_way or phase is Phase.ALARM else Phase.LOCKDOWN) is heart.state.phase
    heart.send(Tick(), 15.0)
    assert standing(Phase.LOCKDOWN) == heart.stands()


def test_lockdown_is_latched() -> None:
    """Neither time nor buttons nor healed faults lift it; a badge alarms unchecked, and the gate stays locked."""
    heart = heart_at(Phase.LOCKDOWN)
    for event in (Tick(), ACKNOWLEDGE, DIARY_SEEN, FaultsNow(frozenset({Reason.DISK_FULL})), FaultsNow(frozenset())):
        heart.send(event, 1000.0)
        assert standing(Phase.LOCKDOWN) == heart.stands()
    assert (Decide(Verdict(Reason.LOCKDOWN), 1),) == heart.send(CodeSeen(ANA))
    heart.send(ACKNOWLEDGE)
    assert standing(Phase.LOCKDOWN) == heart.stands()


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LOCKDOWN])
def test_no_lockdown_changes_nothing(phase: Phase) -> None:
    """Lifting a lockdown that is not there disturbs nobody."""
    heart = heart_at(phase)
    before = heart.state
    assert nothing == heart.send(LockdownSet(False))
    assert before == heart.state


@pytest.mark.parametrize("phase", [Phase.READY, Phase.FAULT])
def test_lockdown_lifted(phase: Phase) -> None:
    """Lifted, the gate is what it would have been: ready, or out of order."""
    heart = heart_at(phase)
    heart.send(LockdownSet(True))
    heart.send(LockdownSet(False))
    assert phase is heart.state.phase
