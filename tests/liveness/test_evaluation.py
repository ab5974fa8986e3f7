"""Error rates of presentation attack detection: who counts as what, and the intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest

from edgegate.liveness.evaluation import MAX_LOOKS, Outcome, Tally, judge
from edgegate.liveness.fused import MIN_LOOKS
from edgegate.liveness.page import html
from edgegate.liveness.report import Report, as_dict, notes, percent, rows
from edgegate.model import Image
from edgegate.ports import Cue, Face, LivenessVerdict
from edgegate.rates import clopper_pearson, independent
from tests.conftest import blank
from tests.liveness.test_fused import FACE, LIVE, SPOOF, UNSURE, Saying

LIVE_AT = Saying.live_at


def judged(scores: Sequence[float | None], *, sequence: bool = True) -> Outcome:
    """A presentation in which the engine says these; None where no face is found."""
    waiting = iter(scores)

    def find(image: Image) -> Face | None:
        score = next(waiting)
        engine.answers.append(score)
        return None if score is None else FACE

    class Told(Saying):
        answers: list[float | None] = []  # noqa: RUF012 - this test's alone

        def score(self, image: Image, face: Face) -> float | None:
            return self.answers[-1]

    engine = Told(())
    engine.answers = []
    return judge((blank() for _ in scores), find, engine, with_cues=False, sequence=sequence)


def tally(*verdicts: LivenessVerdict | None, frames: Sequence[float | None] = ()) -> Tally:
    found = Tally()
    for verdict in verdicts:
        found.add(Outcome((), verdict), LIVE_AT, sequence=True)
    for score in frames:
        found.add(Outcome((score,)), LIVE_AT, sequence=False)
    return found


def report(bona_fide: Tally, **attacks: Tally) -> Report:
    return Report(
        data="test",
        engine="saying",
        live_at=0.6,
        spoof_below=0.2,
        detector="none",
        made="2027-01-01",
        version="0",
        with_cues=False,
        bona_fide=bona_fide,
        attacks=attacks,
    )


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([1.0] * MIN_LOOKS, LIVE),
        ([1.0] * MIN_LOOKS + [0.0] * 20, LIVE),  # let pass before it turned
        ([0.0] * MIN_LOOKS, SPOOF),
        ([0.4] * MIN_LOOKS, UNSURE),
        ([1.0] * (MIN_LOOKS - 1), UNSURE),  # too short for a verdict
        ([None, None], None),
        ([None, *[1.0] * MIN_LOOKS], LIVE),
    ],
)
def test_a_presentation_is_judged_as_at_the_gate(scores: list[float | None], verdict: LivenessVerdict | None) -> None:
    """Let pass as soon as it is live; every frame's score is kept all the same."""
    outcome = judged(scores)
    assert (verdict, tuple(scores)) == (outcome.verdict, outcome.scores)


def test_no_more_looks_than_the_gate_has() -> None:
    """The rest of a long recording is not read."""
    read = []

    def frames() -> Iterator[Image]:
        while True:
            read.append(1)
            yield blank()

    outcome = judge(frames(), lambda image: FACE, Saying([0.4] * 1000), with_cues=False)
    assert (MAX_LOOKS, UNSURE, MAX_LOOKS) == (len(outcome.scores), outcome.verdict, len(read))


def test_a_picture_is_no_presentation() -> None:
    """One frame by itself has a score, and no verdict."""
    outcome = judged([1.0], sequence=False)
    assert (None, (1.0,)) == (outcome.verdict, outcome.scores)


def test_apcer_counts_what_passes() -> None:
    """Unsure and spoof are resisted; without a response it counts apart."""
    found = tally(LIVE, UNSURE, SPOOF, SPOOF, None)
    rate, silent = found.taken_for_live()[1], found.no_response()[1]
    assert (1, 4, 0.25) == (rate.errors, rate.trials, rate.value)
    assert (1, 5) == (silent.errors, silent.trials)


def test_bpcer_counts_who_does_not_pass() -> None:
    """Whoever is sent to the supervisor was not recognised as bona fide, alarm or not."""
    rate = tally(LIVE, LIVE, UNSURE, SPOOF, None).taken_for_attack()[1]
    assert (2, 4) == (rate.errors, rate.trials)


def test_frames_are_judged_one_by_one() -> None:
    """At the threshold is live; no answer is no response."""
    found = tally(frames=[0.6, 0.59, 1.0, None])
    assert (2, 3) == (found.taken_for_live()[0].errors, found.taken_for_live()[0].trials)
    assert (1, 3) == (found.taken_for_attack()[0].errors, found.taken_for_attack()[0].trials)
    assert (1, 4) == (found.no_response()[0].errors, found.no_response()[0].trials)


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    # R's binom.test gives the same.
    [(0, 0, 0.0, 1.0), (0, 30, 0.0, 0.1157), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)],
)
def test_intervals_are_exact(errors: int, trials: int, low: float, high: float) -> None:
    """Clopper and Pearson's."""
    assert (low, high) == pytest.approx(clopper_pearson(errors, trials), abs=1e-4)


def test_a_rate_of_nothing() -> None:
    """Nothing tried is nothing known."""
    rate = independent(0, 0)
    assert (0.0, 1.0, None) == (rate.low, rate.high, rate.as_dict()["rate"])
    assert "not measured" == percent(rate)
    with pytest.raises(ValueError, match="3 errors in 2 trials"):
        clopper_pearson(3, 2)


def test_the_worst_species_counts() -> None:
    """Species are not averaged: a thousand prints resisted do not make up for one mask that passes."""
    found = report(Tally(), print=tally(*[SPOOF] * 1000), mask=tally(LIVE, SPOOF))
    worst = found.worst(by_presentation=True)
    assert worst is not None
    assert ("mask", 0.5) == (worst[0], worst[1].value)
    assert not found.resisted()


@pytest.mark.parametrize(("tried", "shown"), [(35, False), (36, True)])
def test_what_nist_asks_must_be_shown(tried: int, shown: bool) -> None:
    """Without one error, 36 attacks of a species show at 95 % that nine of ten are resisted."""
    found = report(Tally(), print=tally(*[SPOOF] * tried))
    assert shown is found.resisted()
    assert not report(Tally()).resisted()
    assert not report(Tally(), print=tally(*[SPOOF] * 100), tablet=tally(None)).resisted()


def test_rows_and_notes() -> None:
    """What was tried has a row; what was not is said."""
    found = report(tally(LIVE, frames=[1.0]), print=tally(frames=[0.0]))
    assert ["BPCER bona fide", "APCER print"] == [row[0] for row in rows(found, by_presentation=False)]
    assert ["BPCER bona fide"] == [row[0] for row in rows(found, by_presentation=True)]
    assert any("pictures only" in note for note in notes(report(tally(frames=[1.0]))))
    assert any("nothing is known of APCER" in note for note in notes(report(tally(LIVE))))
    assert any("nothing is known of BPCER" in note for note in notes(report(Tally(), print=tally(LIVE))))
    for each in (found, report(Tally())):
        assert "advice" in list(notes(each))[-1]


def test_json_holds_no_nan() -> None:
    """Rates that were not measured are null."""
    found = as_dict(report(Tally(), print=tally(None)))
    text = json.dumps(found, allow_nan=False)
    side = json.loads(text)["attacks"]["print"]["presentations"]
    assert (None, 1, 1.0) == (side["apcer"]["rate"], side["tried"], side["apnrr"]["rate"])
    assert {"live": 0, "unsure": 0, "spoof": 0} == found["attacks"]["print"]["verdicts"]


def test_cues_are_counted() -> None:
    """How often each was raised."""
    found = Tally()
    found.add(Outcome((1.0,), UNSURE, frozenset({Cue.EDGES_FOLLOW})), LIVE_AT, sequence=True)
    assert {"edges_follow": 1} == as_dict(report(Tally(), print=found))["attacks"]["print"]["cues"]


def test_the_page_is_whole_and_escaped() -> None:
    """A folder's name is no markup, and no file is named."""
    found = report(tally(LIVE), **{"<script>": tally(SPOOF)})
    found.problems.append("live/anna.jpg: is not a picture")
    page = html(found)
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "anna" not in page
    assert "1 file(s)" in page
    assert "Per presentation" in page
