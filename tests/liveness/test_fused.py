"""One presentation: from how many looks on, and when, a face is live, spoof, or neither."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegate.liveness.fused import MIN_LOOKS, FusedLiveness
from edgegate.model import Image
from edgegate.ports import Cue, Face, LivenessResult, LivenessVerdict
from tests.conftest import blank
from tests.liveness.kit import held_up, live

LIVE, UNSURE, SPOOF = LivenessVerdict.LIVE, LivenessVerdict.UNSURE, LivenessVerdict.SPOOF
FACE = Face((100.0, 100.0, 80.0, 100.0), 1.0)


class Saying:
    """Port `LivenessEngine`: says what it is told to, look by look."""

    name, live_at, spoof_below, needs_points = "saying", 0.6, 0.2, False

    def __init__(self, scores: Sequence[float | None]) -> None:
        self._scores = iter(scores)

    def score(self, image: Image, face: Face) -> float | None:
        return next(self._scores)


def results(scores: Sequence[float | None]) -> list[LivenessResult]:
    fused = FusedLiveness(Saying(scores), min_looks=3, with_cues=False)
    fused.begin()
    return [fused.look(blank(), FACE) for _ in scores]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1.0, 1.0, 1.0], [UNSURE, UNSURE, LIVE]),
        ([0.0, 0.0, 0.0], [UNSURE, UNSURE, SPOOF]),
        ([0.6, 0.6, 0.6], [UNSURE, UNSURE, LIVE]),
        ([0.4, 0.4, 0.4, 0.4], [UNSURE] * 4),
        ([0.0, 1.0, 1.0], [UNSURE, UNSURE, LIVE]),  # one bad look is forgiven
        ([0.0, 0.0, 1.0, 1.0, 1.0], [UNSURE, UNSURE, UNSURE, UNSURE, LIVE]),
        ([1.0, 1.0, 1.0, 1.0, 0.1], [UNSURE, UNSURE, LIVE, LIVE, UNSURE]),  # a picture after a face is not
        ([1.0, None, 1.0, 1.0, None], [UNSURE, UNSURE, UNSURE, LIVE, UNSURE]),
        ([None] * 5, [UNSURE] * 5),
        ([0.1, 0.1, None, 0.1, None], [UNSURE, UNSURE, UNSURE, SPOOF, SPOOF]),
    ],
)
def test_the_verdict_look_by_look(scores: list[float | None], expected: list[LivenessVerdict]) -> None:
    """As the looks come."""
    assert expected == [result.verdict for result in results(scores)]


SCORES = st.one_of(st.none(), st.floats(0, 1))


@given(st.lists(SCORES, max_size=20))
def test_in_doubt_never_live(scores: list[float | None]) -> None:
    """Live only with enough answers, a mean above the threshold, and an answer now that is no spoof."""
    for number, result in enumerate(results(scores), start=1):
        answers = [score for score in scores[:number] if score is not None]
        assert (len(answers), number - len(answers)) == (result.answers, result.unanswered)
        if result.verdict is not UNSURE:
            assert len(answers) >= 3
        if result.verdict is LIVE:
            newest = scores[number - 1]
            assert newest is not None
            assert newest >= Saying.spoof_below
            assert np.mean(answers) >= Saying.live_at - 1e-9
        if result.verdict is SPOOF:
            assert np.mean(answers) < Saying.spoof_below + 1e-9


def test_how_many_looks_it_takes() -> None:
    """One less than `MIN_LOOKS` is never enough, for either verdict."""
    for score, expected in ((1.0, LIVE), (0.0, SPOOF)):
        fused = FusedLiveness(Saying([score] * MIN_LOOKS), with_cues=False)
        fused.begin()
        verdicts = [fused.look(blank(), FACE).verdict for _ in range(MIN_LOOKS)]
        assert [UNSURE] * (MIN_LOOKS - 1) + [expected] == verdicts


def test_presentations_are_apart() -> None:
    """What one person's looks said is forgotten before the next."""
    fused = FusedLiveness(Saying([0.0] * 3 + [1.0] * 3), min_looks=3, with_cues=False)
    for expected in (SPOOF, LIVE):
        fused.begin()
        last = [fused.look(blank(), FACE) for _ in range(3)][-1]
        assert (expected, 3) == (last.verdict, last.answers)
    fused.end()
    fused.end()


def test_a_cue_takes_live_back() -> None:
    """An engine that is taken in by a print does not open the gate while the print's rim is seen to move with it."""
    for shots, expected in ((held_up(), UNSURE), (live(), LIVE)):
        fused = FusedLiveness(Saying([1.0] * len(shots)))
        fused.begin()
        last = [fused.look(shot.image, shot.face) for shot in shots][-1]
        assert expected is last.verdict
        assert (Cue.EDGES_FOLLOW in last.cues) is (expected is UNSURE)


def test_a_cue_makes_no_alarm() -> None:
    """Cues were measured on simulated pictures only: they send to the supervisor, and accuse nobody."""
    shots = held_up(on_sheet=True)
    fused = FusedLiveness(Saying([0.7] * len(shots)))
    fused.begin()
    verdicts = {fused.look(shot.image, shot.face).verdict for shot in shots}
    assert SPOOF not in verdicts


def test_a_result_shows_no_score() -> None:
    """Not even in a log or a crash report."""
    assert "score" not in repr(results([0.123])[0])
    assert "0.123" not in repr(results([0.123])[0])
