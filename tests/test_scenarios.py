"""Every scenario in `scenarios/`, through the whole app, twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from edgegate.model import Reason, Verdict
from edgegate.signals.patterns import FAULT_VALUES
from tests.conftest import Site
from tests.scenario import Scenario, load, play, prepare

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))
LATER = {
    Reason.ROSTER_STALE,
}
"""Reasons that no part of the gate gives yet."""
THREADS = {Reason.READER_LOST}
"""Reasons that only threads can give, and a virtual clock has none."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario(
    file: Path, site: Site, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """The gate decides, shows, records and looks as the scenario says; and the same again, played again."""
    scenario = load(file)
    stage = prepare(site, scenario)
    played = play(stage, tmp_path_factory.mktemp("first"))

    assert [expected.line for expected in scenario.decisions] == played.decisions
    assert scenario.hints == played.hints
    assert [glance.named for glance in sorted(scenario.glances, key=lambda glance: glance.at)] == played.glances
    assert [] == played.unjustified_green

    assert [expected.presentation is not None for expected in scenario.decisions] == played.measured
    assert scenario.phases in (None, played.phases)

    assert [expected.line for expected in scenario.decisions if expected.recorded] == played.recorded
    assert scenario.other_rows == played.other_rows
    assert len(played.recorded) + len(played.other_rows) == played.verified_rows
    assert played.one_pseudonym_a_day

    detections, embeddings = played.face_calls
    assert scenario.face_work == (detections > 0)
    assert scenario.face_work or not embeddings
    assert scenario.liveness_work == (played.liveness_calls > 0)
    assert played.liveness_calls <= embeddings
    assert "could not be looked at" not in caplog.text

    assert FAULT_VALUES == played.pins_after
    assert played == play(stage, tmp_path_factory.mktemp("second"))


def test_scenarios_reach_every_reason() -> None:
    """Together they show every decision and reason that the gate can give in this pace."""
    reached = {expected.reason for file in FILES for expected in load(file).decisions}
    assert set(Reason) - LATER - THREADS == reached


def test_scenarios_agree_with_the_closed_sets() -> None:
    """A scenario that expects a reason under another decision would be a mistake in the scenario."""
    for file in FILES:
        for expected in load(file).decisions:
            assert Verdict(expected.reason).decision is expected.decision


def test_a_misspelt_scenario_is_refused() -> None:
    """An expectation that nobody reads would pass for ever."""
    with pytest.raises(ValidationError, match="glancez"):
        Scenario.model_validate({"title": "x", "until": 1.0, "decisions": [], "glances": [], "glancez": []})
