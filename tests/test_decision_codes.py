"""The heart by examples: codes that come one after another, foreign codes, and badges that try too often."""

from __future__ import annotations

import pytest

from edgegate.model import BadgeChecked, Code, CodeSeen, Look, Looked, Reason, Status, Tick
from edgegate.state import Check, Hint, HintKind, OpenTemplate, Phase
from tests.heart import ACKNOWLEDGE, ANA, BEN, DIARY, OTHER_HANDLE, VOLUNTEER, Heart, heart_at, nothing, standing

WIFI = CodeSeen(Code("WIFI:T:WPA;S:guests;;"), credible=False)
OTHER_VOLUNTEER = BadgeChecked(Status.VOLUNTEER, OTHER_HANDLE)


@pytest.mark.parametrize("phase", [Phase.READY, Phase.GRANTED, Phase.REFER, Phase.FAULT])
def test_new_badge_starts_at_once(phase: Phase) -> None:
    """Nobody waits for the lights of the one before."""
    heart = heart_at(phase)
    number = heart.state.presentation
    assert (Check(BEN),) == heart.send(CodeSeen(BEN))
    assert (standing(Phase.CHECKING), number + 1) == (heart.stands(), heart.state.presentation)
    assert heart.state.handle is None


@pytest.mark.parametrize("phase", [Phase.CHECKING, Phase.LOOKING, Phase.ALARM])
def test_new_badge_waits(phase: Phase) -> None:
    """Under way or in alarm a badge in view starts nothing; it has its turn when the gate is free again."""
    heart = heart_at(phase)
    assert nothing == heart.send(CodeSeen(BEN))
    assert (phase, 1) == (heart.state.phase, heart.state.presentation)
    heart.send(Tick(), 3.0)
    heart.send(ACKNOWLEDGE)
    assert (Check(BEN),) == heart.send(CodeSeen(BEN))


@pytest.mark.parametrize("phase", [Phase.CHECKING, Phase.LOOKING, Phase.ALARM])
def test_one_at_a_time(phase: Phase) -> None:
    """Who types another code while the gate is busy is told so; the same one typed twice is no news."""
    heart = heart_at(phase)
    assert (Hint(HintKind.ONE_AT_A_TIME),) == heart.send(CodeSeen(Code(BEN.text, steady=False)))
    assert nothing == heart.send(CodeSeen(Code(ANA.text, steady=False)))
    assert (phase, 1) == (heart.state.phase, heart.state.presentation)


@pytest.mark.parametrize("phase", [Phase.GRANTED, Phase.REFER, Phase.ALARM])
def test_code_in_view_is_one_presentation(phase: Phase) -> None:
    """A badge held up for a minute is one presentation; away for two seconds, it counts anew."""
    heart = heart_at(phase)
    number = heart.state.presentation
    for _ in range(40):
        assert nothing == heart.send(CodeSeen(ANA), 1.5)
    assert standing(Phase.READY) == heart.stands()
    assert (Check(ANA),) == heart.send(CodeSeen(ANA), 2.0)
    assert (Phase.CHECKING, number + 1) == (heart.state.phase, heart.state.presentation)


def test_typed_code_is_an_act_of_its_own() -> None:
    """A line typed twice is two presentations: a scanner does not see a badge all the time."""
    heart, typed = Heart(), Code(ANA.text, steady=False)
    for number in (1, 2):
        heart.shown(typed, DIARY, after=0.5)
        assert number == heart.state.presentation


def test_foreign_code_hint() -> None:
    """A code that is no badge is ignored, with one hint after two seconds and the next ten seconds later."""
    heart, expected = Heart(), [2.0, 12.0, 22.0]
    heart.send(WIFI)
    assert expected == [n / 2 for n in range(1, 48) if heart.send(WIFI, 0.5) == (Hint(HintKind.NOT_A_BADGE),)]
    assert standing(Phase.READY) == heart.stands()
    assert not heart.state.presentation


def test_foreign_code_that_went_away_starts_anew() -> None:
    """Two short sights with a pause between are not one long one."""
    heart = Heart()
    for after in (0.0, 1.5, 2.0, 1.5):
        assert nothing == heart.send(WIFI, after)


def test_typed_foreign_code_is_answered_at_once() -> None:
    """Who scans a snack's barcode is not left waiting, but not flooded either."""
    heart, snack = Heart(), CodeSeen(Code("4006381333931", steady=False), credible=False)
    hint = (Hint(HintKind.NOT_A_BADGE),)
    assert [hint, nothing, hint] == [heart.send(snack, after) for after in (0.0, 9.5, 0.5)]


@pytest.mark.parametrize("phase", [Phase.LOOKING, Phase.GRANTED, Phase.REFER, Phase.ALARM])
def test_foreign_code_beside_a_presentation_is_no_news(phase: Phase) -> None:
    """Another code beside a badge, in view or typed, neither interrupts nor comments."""
    heart = heart_at(phase)
    for code in (WIFI, CodeSeen(Code("4006381333931", steady=False), credible=False)):
        assert nothing == heart.send(code, 0.5)
    assert phase is heart.state.phase


def test_badge_starts_the_wait_for_a_hint_anew() -> None:
    """Who held up the wrong code, then the badge, has understood."""
    heart = Heart()
    heart.send(WIFI)
    heart.send(WIFI, 1.5)
    heart.shown(ANA, DIARY)
    heart.send(ACKNOWLEDGE)
    assert nothing == heart.send(WIFI, 0.5)
    assert nothing == heart.send(WIFI, 1.5)
    assert (Hint(HintKind.NOT_A_BADGE),) == heart.send(WIFI, 0.5)


def test_three_alarms_make_a_badge_wait() -> None:
    """After the third `no_match` in a minute that badge alarms unseen for thirty seconds; others go on."""
    heart = Heart()
    heart.rejected_times(3, Reason.NO_MATCH)
    waits_until = heart.now + 30.0
    heart.shown(BEN, OTHER_VOLUNTEER)
    heart.looks(Look.MATCH)
    heart.rejected_times(14, Reason.TOO_MANY_ATTEMPTS)
    assert (OpenTemplate(),) == heart.shown(ANA, VOLUNTEER, waits_until - heart.now)


def test_match_forgives() -> None:
    """Alarms count only in a row: a match between them starts the count again."""
    heart = Heart()
    heart.rejected_times(2, Reason.NO_MATCH)
    heart.shown(ANA, VOLUNTEER, after=2.0)
    heart.looks(Look.MATCH)
    heart.rejected_times(3, Reason.NO_MATCH)
    heart.rejected_times(1, Reason.TOO_MANY_ATTEMPTS)


def test_alarms_far_apart_or_on_other_badges_do_not_add_up() -> None:
    """Nobody pays for another badge, and after a minute an alarm is forgotten."""
    heart = Heart()
    for code, badge in ((ANA, VOLUNTEER), (BEN, OTHER_VOLUNTEER)) * 2:
        heart.rejected_times(1, Reason.NO_MATCH, code, badge)
    heart.now += 60.0
    heart.rejected_times(3, Reason.NO_MATCH)


def test_a_badge_stays_in_view_while_a_slow_look_computes() -> None:
    """On a slow board one look takes seconds in which no badge is read: the same badge is no new presentation."""
    heart = Heart()
    heart.shown(ANA, VOLUNTEER)
    heart.send(Looked(Look.MATCH, took_s=6.0), 6.1)
    assert nothing == heart.send(CodeSeen(ANA), 0.3)
    assert (1, Phase.GRANTED) == (heart.state.presentation, heart.state.phase)
