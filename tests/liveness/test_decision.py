"""What the decision makes of a match whose liveness is in doubt: never green; off changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegate.model import Decision, Look, Looked, Reason, Tick, Verdict
from edgegate.state import Phase, Rules
from tests.heart import ACKNOWLEDGE, ANA, BEN, HANDLE, OTHER_HANDLE, VOLUNTEER, Heart

M, B, U, S, N = Look.MATCH, Look.BELOW, Look.UNSURE, Look.SPOOF, Look.NO_FACE
ADVISORY, ENFORCE = Rules(), Rules(enforce_liveness=True)
OLD = [look for look in Look if look not in (U, S)]
"""What a gate without liveness ever sees."""


def ending(rules: Rules, looks: list[Look]) -> Verdict:
    """The verdict of a presentation with these looks and then nobody."""
    heart = Heart(rules)
    heart.shown(ANA, VOLUNTEER)
    for look in looks:
        if heart.state.wants_face:
            heart.send(Looked(look), 0.1)
    if heart.state.wants_face:
        heart.send(Tick(), rules.look_s)
    assert heart.state.verdict is not None
    return heart.state.verdict


@pytest.mark.parametrize(
    ("looks", "advisory", "enforce"),
    [
        ([U, U, M], Reason.MATCH, Reason.MATCH),  # it only took a while
        ([S, S, M], Reason.MATCH, Reason.MATCH),
        ([U, U, U], Reason.LIVENESS_UNSURE, Reason.LIVENESS_UNSURE),
        ([S, S, S], Reason.LIVENESS_UNSURE, Reason.SPOOF_SUSPECTED),
        ([U, U, S], Reason.LIVENESS_UNSURE, Reason.SPOOF_SUSPECTED),
        ([S, S, U], Reason.LIVENESS_UNSURE, Reason.LIVENESS_UNSURE),
        ([S, N, N, N, N], Reason.LIVENESS_UNSURE, Reason.SPOOF_SUSPECTED),
        ([B, B, B, B, U], Reason.LIVENESS_UNSURE, Reason.LIVENESS_UNSURE),
        ([B, B, B], Reason.NO_MATCH, Reason.NO_MATCH),
        ([N, N], Reason.NO_FACE, Reason.NO_FACE),
    ],
)
def test_a_match_that_is_not_shown_to_live(looks: list[Look], advisory: Reason, enforce: Reason) -> None:
    """Advisory refers; enforce alarms where it looked like a picture to the last."""
    assert (advisory, enforce) == (ending(ADVISORY, looks).reason, ending(ENFORCE, looks).reason)


@given(st.lists(st.sampled_from(list(Look)), max_size=12), st.booleans())
def test_in_doubt_never_green(looks: list[Look], enforce: bool) -> None:
    """Green needs a match that was shown to live, whatever else was seen."""
    verdict = ending(ENFORCE if enforce else ADVISORY, looks)
    assert (M in looks) is (verdict.decision is Decision.GRANTED)


@given(st.lists(st.sampled_from(OLD), max_size=12))
def test_off_changes_nothing(looks: list[Look]) -> None:
    """Without liveness no look is unsure or spoof; then both modes end as they always did: a match, or by counting."""
    verdict = ending(ADVISORY, looks)
    assert verdict == ending(ENFORCE, looks)
    assert verdict.reason not in (Reason.LIVENESS_UNSURE, Reason.SPOOF_SUSPECTED)
    if M in looks:
        assert Reason.MATCH == verdict.reason
    elif looks.count(B) >= ADVISORY.min_probes:
        assert Reason.NO_MATCH == verdict.reason


@given(st.lists(st.sampled_from(list(Look)), max_size=12))
def test_liveness_only_ever_takes_green_away(looks: list[Look]) -> None:
    """A look that liveness withheld would have been a match: with it, nobody passes who would not pass without; and
    nobody is told that the face is another's because of it."""
    without = ending(ADVISORY, [M if look in (U, S) else look for look in looks])
    for rules in (ADVISORY, ENFORCE):
        verdict = ending(rules, looks)
        if verdict.decision is Decision.GRANTED:
            assert Decision.GRANTED == without.decision
        if without.decision is Decision.GRANTED:
            assert verdict.reason in (Reason.MATCH, Reason.LIVENESS_UNSURE, Reason.SPOOF_SUSPECTED)


def test_three_suspected_pictures_make_the_badge_wait() -> None:
    """As three faces of somebody else do; another badge does not wait."""
    heart = Heart(replace(ENFORCE, look_s=1.0))
    for expected in (Reason.SPOOF_SUSPECTED, Reason.SPOOF_SUSPECTED, Reason.SPOOF_SUSPECTED, Reason.TOO_MANY_ATTEMPTS):
        heart.shown(ANA, VOLUNTEER, 5.0)
        if heart.state.wants_face:
            heart.looks(S)
            heart.send(Tick(), 1.0)
        assert heart.state.verdict == Verdict(expected)
        heart.send(ACKNOWLEDGE)
    assert HANDLE != OTHER_HANDLE
    heart.shown(BEN, replace(VOLUNTEER, handle=OTHER_HANDLE), 5.0)
    assert Phase.LOOKING is heart.state.phase
