"""What the looks of a presentation add up to, and what the student is told while the gate is looking."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegate.looks import advice, verdict_of
from edgegate.model import (
    QUALITY_FAULTS,
    RECORDED_FAULTS,
    CodeSeen,
    Detail,
    Look,
    Looked,
    Reason,
    Tick,
    Verdict,
)
from edgegate.state import Decide, Forget, Hint, HintKind, Phase, Rules
from edgegate.words import LANGUAGES, Words
from tests.heart import ANA, BEN, HANDLE, VOLUNTEER, Heart, heart_at, nothing

RULES = Rules()
looks = st.lists(st.sampled_from([look for look in Look if look is not Look.MATCH]), max_size=12)
"""A match is never counted: it decides at once."""


def told(heart: Heart, *seen: Look) -> list[HintKind]:
    """The hints that these looks lead to, in order."""
    return [action.kind for look in seen for action in heart.send(Looked(look)) if isinstance(action, Hint)]


@pytest.mark.parametrize(
    ("look", "kind"),
    [
        (Look.NO_FACE, HintKind.LOOK_AT_CAMERA),
        (Look.TURNED_AWAY, HintKind.LOOK_AT_CAMERA),
        (Look.SEVERAL_FACES, HintKind.ONE_AT_A_TIME),
        (Look.TOO_FAR, HintKind.COME_CLOSER),
        (Look.TOO_DARK, HintKind.TOO_DARK),
        (Look.TOO_BRIGHT, HintKind.TOO_BRIGHT),
        (Look.BLURRED, HintKind.HOLD_STILL),
        (Look.CUT_OFF, HintKind.STEP_INTO_PICTURE),
        (Look.COVERED, HintKind.UNCOVER_FACE),
    ],
)
def test_two_looks_in_a_row_make_a_hint(look: Look, kind: HintKind) -> None:
    """The first may be a blink; the second is told at once, and no later one again."""
    heart = heart_at(Phase.LOOKING)
    assert nothing == heart.send(Looked(look))
    assert (Hint(kind),) == heart.send(Looked(look))
    assert [] == told(heart, look, look, Look.BELOW, look, look)


@pytest.mark.parametrize("look", [Look.BELOW, Look.UNSURE, Look.SPOOF, Look.POOR_QUALITY])
def test_no_hint_where_the_student_can_do_nothing(look: Look) -> None:
    """A face that is another's, or whose liveness is in doubt, is told nothing that would help to pass."""
    assert [] == told(heart_at(Phase.LOOKING), look, look, look)


def test_looks_that_differ_make_no_hint() -> None:
    """Unless they ask the same: nobody's face and a face turned away both want a look at the camera."""
    heart = heart_at(Phase.LOOKING)
    assert [] == told(heart, Look.TOO_FAR, Look.BLURRED, Look.TOO_FAR, Look.BELOW, Look.TOO_FAR)
    assert [HintKind.LOOK_AT_CAMERA] == told(heart, Look.NO_FACE, Look.TURNED_AWAY)


def test_each_hint_comes_once_and_the_next_presentation_has_its_own() -> None:
    """A second kind is told too; a new badge begins anew."""
    heart = heart_at(Phase.LOOKING)
    seen = [Look.TOO_FAR, Look.TOO_FAR, Look.BLURRED, Look.BLURRED, Look.TOO_FAR, Look.TOO_FAR]
    assert [HintKind.COME_CLOSER, HintKind.HOLD_STILL] == told(heart, *seen)
    heart.send(Tick(), 3.0)
    assert frozenset() == heart.state.hinted
    heart.shown(BEN, VOLUNTEER, after=0.5)
    assert [HintKind.COME_CLOSER] == told(heart, Look.TOO_FAR, Look.TOO_FAR)


def test_the_last_look_brings_the_decision_and_no_hint() -> None:
    """With the decision comes a sentence of its own."""
    heart = heart_at(Phase.LOOKING)
    heart.looks(Look.TOO_DARK)
    decide = Decide(Verdict(Reason.POOR_QUALITY, "too_dark"), 1, HANDLE)
    assert (Forget(), decide) == heart.send(Looked(Look.TOO_DARK), 3.5)


def test_no_look_no_hint() -> None:
    """Looks outside a presentation say nothing to anybody."""
    heart = Heart()
    assert [] == told(heart, Look.NO_FACE, Look.NO_FACE)
    heart.send(CodeSeen(ANA))
    assert [] == told(heart, Look.NO_FACE, Look.NO_FACE)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ("too_far too_far blurred", Verdict(Reason.POOR_QUALITY, "too_far")),
        ("blurred too_far too_far", Verdict(Reason.POOR_QUALITY, "too_far")),
        ("blurred too_far", Verdict(Reason.POOR_QUALITY, "blurred")),
        ("no_face no_face too_dark blurred cut_off", Verdict(Reason.POOR_QUALITY, "too_dark")),
        ("no_face no_face too_dark", Verdict(Reason.NO_FACE)),
        ("no_face too_dark", Verdict(Reason.NO_FACE)),
        ("several_faces several_faces too_dark", Verdict(Reason.SEVERAL_FACES)),
        ("covered covered too_far", Verdict(Reason.POOR_QUALITY)),
        ("poor_quality poor_quality turned_away", Verdict(Reason.POOR_QUALITY)),
        ("below below turned_away", Verdict(Reason.POOR_QUALITY, "turned_away")),
        ("below below below turned_away turned_away turned_away turned_away", Verdict(Reason.NO_MATCH)),
    ],
)
def test_faults_of_quality_count_together(seen: str, verdict: Verdict) -> None:
    """They are one reason; the most frequent of them is its detail, unless that is nobody's business."""
    assert verdict == verdict_of([Look(look) for look in seen.split()], RULES)


@given(looks)
def test_what_covers_a_face_is_never_recorded(seen: list[Look]) -> None:
    """A detail is one of those that may be recorded, and comes with its own reason only."""
    verdict = verdict_of(seen, RULES)
    assert verdict.reason is not Reason.MATCH
    if verdict.reason is Reason.POOR_QUALITY and verdict.detail is not None:
        assert verdict.detail in RECORDED_FAULTS
        faults = Counter(look for look in seen if look in QUALITY_FAULTS)
        assert faults[Look(verdict.detail)] == max(faults.values())
    else:
        assert verdict.detail in (None, "camera_stale")
    assert {Look.COVERED, Look.POOR_QUALITY} == QUALITY_FAULTS - RECORDED_FAULTS


@given(looks)
def test_faults_stand_for_poor_quality(seen: list[Look]) -> None:
    """Which fault it was changes the detail, never the reason."""
    merged = [Look.POOR_QUALITY if look in QUALITY_FAULTS else look for look in seen]
    assert verdict_of(merged, RULES).reason is verdict_of(seen, RULES).reason


def test_advice_is_about_the_last_two() -> None:
    """However long the gate has been looking; one look alone is none."""
    assert advice([]) is None
    for before, last in product(Look, Look):
        assert advice([last]) is None
        assert advice([last, before, last]) is advice([before, last])


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_may_try_again_is_told_how(language: str) -> None:
    """Each fault has its own sentence for the student and its own word for the supervisor; `covered` has neither."""
    words = Words(language)
    plain = words.student(Phase.REFER, Verdict(Reason.POOR_QUALITY))
    students = {words.student(Phase.REFER, Verdict(Reason.POOR_QUALITY, fault.value)) for fault in RECORDED_FAULTS}
    supervisors = {
        words.supervisor(Phase.REFER, Verdict(Reason.POOR_QUALITY, fault.value)) for fault in RECORDED_FAULTS
    }
    assert len(RECORDED_FAULTS) == len(students - {plain}) == len(supervisors)
    diary = {"en": "diary", "fr": "carnet"}[language]
    assert all(diary in sentence for sentence in (*students, words.hint(HintKind.UNCOVER_FACE)))
    assert {fault.value for fault in RECORDED_FAULTS}.isdisjoint(Detail)
