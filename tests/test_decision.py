"""The heart by examples: looks, lights, holds, buttons and deadlines of one presentation."""

from __future__ import annotations

import pytest

from edgegate.decision import lights, next_deadline
from edgegate.model import (
    BadgeChecked,
    Button,
    CodeSeen,
    Decision,
    Detail,
    Event,
    Look,
    Looked,
    NotRecorded,
    Pressed,
    Reason,
    Status,
    TemplateRefused,
    Tick,
    Verdict,
    Withdrawn,
)
from edgegate.state import Check, Decide, Forget, Lights, OpenTemplate, Phase, Rules
from tests.heart import (
    ACKNOWLEDGE,
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


def test_volunteer_is_looked_at_then_granted() -> None:
    """A volunteer's valid badge opens the template; a match wipes it and grants, under the badge's handle."""
    heart = Heart()
    assert (OpenTemplate(),) == heart.shown(ANA, VOLUNTEER)
    assert heart.state.wants_face
    assert (Forget(), Decide(Verdict(Reason.MATCH), 1, HANDLE)) == heart.send(Looked(Look.MATCH), 0.5)
    assert standing(Phase.GRANTED, Reason.MATCH) == heart.stands()


@pytest.mark.parametrize(
    ("badge", "verdict"),
    [
        (BadgeChecked(forged=Detail.UNKNOWN_ISSUER), Verdict(Reason.FORGED, "unknown_issuer")),
        (BadgeChecked(forged=Detail.BAD_SIGNATURE), Verdict(Reason.FORGED, "bad_signature")),
        (BadgeChecked(forged=Detail.MALFORMED), Verdict(Reason.FORGED, "malformed")),
        (REVOKED, Verdict(Reason.REVOKED)),
        (BadgeChecked(Status.REVOKED, HANDLE, badge_expired=True), Verdict(Reason.REVOKED)),
        (BadgeChecked(Status.VOLUNTEER, HANDLE, badge_expired=True), Verdict(Reason.BADGE_EXPIRED)),
        (BadgeChecked(Status.UNKNOWN, badge_expired=True), Verdict(Reason.BADGE_EXPIRED)),
        (BadgeChecked(Status.UNKNOWN), Verdict(Reason.UNKNOWN_BADGE)),
        (DIARY, Verdict(Reason.NOT_ENROLLED)),
        (BadgeChecked(Status.VOLUNTEER, HANDLE, consent_expired=True), Verdict(Reason.CONSENT_EXPIRED)),
        *((BadgeChecked(status, HANDLE, altered=True), Verdict(Reason.TEMPLATE_UNREADABLE)) for status in Status),
    ],
)
def test_badge_alone_decides(badge: BadgeChecked, verdict: Verdict) -> None:
    """Every badge but a volunteer's valid one is decided at once, without a face."""
    heart = Heart()
    assert (Decide(verdict, 1, badge.handle),) == heart.shown(ANA, badge)
    phase = Phase.ALARM if verdict.decision is Decision.ALARM else Phase.REFER
    assert (phase, verdict) == heart.stands()


@pytest.mark.parametrize(
    ("looks", "verdict"),
    [
        ("below below below", Verdict(Reason.NO_MATCH)),
        ("no_face no_face no_face no_face below below below", Verdict(Reason.NO_MATCH)),
        ("below below", Verdict(Reason.POOR_QUALITY)),
        ("below below no_face", Verdict(Reason.NO_FACE)),
        ("no_face poor_quality poor_quality", Verdict(Reason.POOR_QUALITY)),
        ("poor_quality no_face no_face", Verdict(Reason.NO_FACE)),
        ("no_face several_faces several_faces below", Verdict(Reason.SEVERAL_FACES)),
        ("", Verdict(Reason.OUT_OF_ORDER, "camera_stale")),
    ],
)
def test_time_to_look_is_over(looks: str, verdict: Verdict) -> None:
    """`no_match` needs enough good probes; too few refer, with the reason that was most frequent."""
    heart = heart_at(Phase.LOOKING)
    heart.looks(*map(Look, looks.split()))
    assert nothing == heart.send(Tick(), 2.75)
    assert (Forget(), Decide(verdict, 1, HANDLE)) == heart.send(Tick(), 0.25)


@pytest.mark.parametrize(("probes", "reason"), [(4, Reason.POOR_QUALITY), (5, Reason.NO_MATCH)])
def test_min_probes_is_a_rule(probes: int, reason: Reason) -> None:
    """How many probes make a `no_match` is the configuration's to say, and so is how long to look."""
    heart = Heart(Rules(min_probes=5, look_s=1.0))
    heart.shown(ANA, VOLUNTEER)
    heart.looks(*[Look.BELOW] * probes)
    heart.send(Tick(), 1.0)
    assert Verdict(reason) == heart.state.verdict


@pytest.mark.parametrize(
    ("look", "phase", "reason"),
    [(Look.MATCH, Phase.GRANTED, Reason.MATCH), (Look.BELOW, Phase.ALARM, Reason.NO_MATCH)],
)
def test_look_begun_in_time_counts(look: Look, phase: Phase, reason: Reason) -> None:
    """A slow device's last look is heard even when it ends late, and is the last."""
    heart = heart_at(Phase.LOOKING)
    heart.looks(Look.BELOW, Look.BELOW)
    heart.send(Looked(look), 3.5)
    assert standing(phase, reason) == heart.stands()


def test_template_that_does_not_open_refers() -> None:
    """A sealed template that cannot be read is a case for the supervisor; it accuses nobody."""
    heart = heart_at(Phase.LOOKING)
    refer = Decide(Verdict(Reason.TEMPLATE_UNREADABLE), 1, HANDLE)
    assert (Forget(), refer) == heart.send(TemplateRefused())


def test_check_without_answer_refers() -> None:
    """A check that nobody answers does not hold the gate."""
    heart = heart_at(Phase.CHECKING)
    assert (Decide(Verdict(Reason.OUT_OF_ORDER), 1),) == heart.send(Tick(), 3.0)


@pytest.mark.parametrize(("phase", "hold_s"), [(Phase.GRANTED, 2.0), (Phase.REFER, 20.0), (Phase.ALARM, 15.0)])
def test_hold_times(phase: Phase, hold_s: float) -> None:
    """Each light stays for its time and not longer; then nothing of the presentation is left."""
    heart = heart_at(phase)
    heart.send(Tick(), hold_s - 0.125)
    assert phase is heart.state.phase
    heart.send(Tick(), 0.125)
    assert standing(Phase.READY) == heart.stands()
    assert not (heart.state.badge or heart.state.handle or heart.state.looks)


def test_supervisor_grants_the_same_presentation() -> None:
    """The diary button is a second decision with the number of the first, and green for its time."""
    heart = heart_at(Phase.REFER)
    assert (Decide(Verdict(Reason.SUPERVISOR), 1, HANDLE),) == heart.send(DIARY_SEEN, 5.0)
    assert standing(Phase.GRANTED, Reason.SUPERVISOR) == heart.stands()
    heart.send(Tick(), 2.0)
    assert standing(Phase.READY) == heart.stands()


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.REFER, Phase.CONFIRMING}))
def test_diary_button_grants_only_in_refer(phase: Phase) -> None:
    """Nowhere else does the diary button let pass: an alarm is not waved through. (What it confirms, see below.)"""
    heart = heart_at(phase)
    before = heart.state
    assert nothing == heart.send(DIARY_SEEN)
    assert before == heart.state


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.CONFIRMING}))
def test_acknowledge_ends_alarm_and_refer_only(phase: Phase) -> None:
    """The acknowledge button ends an alarm or a referral; a grant or a fault it does not touch."""
    heart = heart_at(phase)
    assert nothing == heart.send(ACKNOWLEDGE, 0.5)
    assert (Phase.READY if phase in (Phase.ALARM, Phase.REFER) else phase) is heart.state.phase


def test_buzzer_falls_silent_before_the_light() -> None:
    """From the decision on, the buzzer lasts `buzzer_max_s`, the red light `alarm_s`; both ends are deadlines."""
    heart = Heart(Rules(buzzer_max_s=4.0, alarm_s=15.0))
    heart.shown(ANA, VOLUNTEER)
    heart.looks(Look.BELOW, Look.BELOW, Look.BELOW)
    heart.send(Tick(), 3.0)
    moments = [heart.now + after for after in (0.0, 3.875, 4.0, 14.875)]
    loud, silent = (Lights.ALARM, heart.now + 4.0), (Lights.ALARM_SILENT, heart.now + 15.0)
    shown = [(lights(heart.state, now), next_deadline(heart.state, now)) for now in moments]
    assert [loud, loud, silent, silent] == shown


@pytest.mark.parametrize(
    ("phase", "shown", "ends_after"),
    [
        (Phase.READY, Lights.READY, None),
        (Phase.CHECKING, Lights.LOOKING, 3.0),
        (Phase.LOOKING, Lights.LOOKING, 3.0),
        (Phase.CONFIRMING, Lights.CONFIRMING, 10.0),
        (Phase.GRANTED, Lights.GRANTED, 2.0),
        (Phase.ALARM, Lights.ALARM, 15.0),
        (Phase.REFER, Lights.REFER, 20.0),
        (Phase.FAULT, Lights.FAULT, None),
        (Phase.LOCKDOWN, Lights.LOCKDOWN, None),
    ],
)
def test_lights_and_deadline(phase: Phase, shown: Lights, ends_after: float | None) -> None:
    """Every phase has its light, and ends by itself unless it is at rest."""
    heart = heart_at(phase)
    deadline = None if ends_after is None else heart.now + ends_after
    assert (shown, deadline) == (lights(heart.state, heart.now), next_deadline(heart.state, heart.now))
    assert (ends_after is None) == heart.state.at_rest


@pytest.mark.parametrize(
    "event", [VOLUNTEER, Looked(Look.MATCH), TemplateRefused(), NotRecorded(Reason.DISK_FULL), Withdrawn(), Tick()]
)
@pytest.mark.parametrize(
    "phase", [Phase.READY, Phase.CONFIRMING, Phase.ALARM, Phase.REFER, Phase.FAULT, Phase.LOCKDOWN]
)
def test_stray_answers_change_nothing(event: Event, phase: Phase) -> None:
    """An answer that comes when nobody asked is dropped, a match above all."""
    heart = heart_at(phase)
    before = heart.state
    assert nothing == heart.send(event)
    assert before == heart.state


def test_late_event_meets_no_stale_phase() -> None:
    """What should have ended ends first: a diary button after the hold time opens nothing."""
    heart = heart_at(Phase.REFER)
    assert nothing == heart.send(DIARY_SEEN, 20.0)
    assert standing(Phase.READY) == heart.stands()


def test_overdue_decision_comes_before_the_next_badge() -> None:
    """A badge that comes when the time to look is over waits for that decision, and for nothing else."""
    heart = heart_at(Phase.LOOKING)
    refer = Decide(Verdict(Reason.OUT_OF_ORDER, "camera_stale"), 1, HANDLE)
    assert (Forget(), refer, Check(BEN)) == heart.send(CodeSeen(BEN), 3.0)
    assert standing(Phase.CHECKING) == heart.stands()


@pytest.mark.parametrize(
    ("looks", "button", "phase", "reason"),
    [
        (["no_face"], Button.DIARY, Phase.REFER, Reason.NO_FACE),
        (["below"] * 3, Button.ACKNOWLEDGE, Phase.ALARM, Reason.NO_MATCH),
    ],
)
def test_button_cannot_mean_what_nobody_has_seen(
    looks: list[str], button: Button, phase: Phase, reason: Reason
) -> None:
    """Pressed in the moment in which the time to look runs out, a button neither opens nor silences anything."""
    heart = heart_at(Phase.LOOKING)
    heart.looks(*map(Look, looks))
    assert (Forget(), Decide(Verdict(reason), 1, HANDLE)) == heart.send(Pressed(button), 3.0)
    assert standing(phase, reason) == heart.stands()
