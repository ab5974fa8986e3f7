"""Who did not volunteer is treated as everybody whom the device cannot judge: the same lights, words and time, and no
look at the face."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from edgegate.clock import VirtualClock
from edgegate.events import JsonLines
from edgegate.model import Decision, Reason, Verdict
from edgegate.ports import Note
from edgegate.state import Phase
from edgegate.words import LANGUAGES, Words
from tests.conftest import DAY_S, Site
from tests.scenario import Scenario, play, prepare

PEOPLE: dict[str, tuple[dict[str, Any], str]] = {
    "ana": ({"kind": "diary"}, "not_enrolled"),
    "ben": ({"kind": "volunteer", "withdrawn": True}, "not_enrolled"),
    "chloe": ({"kind": "volunteer", "withdrawn": True, "template": "on-badge"}, "not_enrolled"),
    "dan": ({"kind": "volunteer", "consent_in_s": 2}, "consent_expired"),
    "eve": ({"kind": "volunteer", "row": "altered"}, "template_unreadable"),
    "farid": ({"kind": "stranger"}, "unknown_badge"),
    "gus": ({"kind": "stranger", "expires_in_s": -DAY_S}, "badge_expired"),
}
"""Who comes to the gate, and why it does not look at the face."""
TRY_AGAIN = {Reason.NO_FACE, Reason.SEVERAL_FACES, Reason.POOR_QUALITY}
"""Referrals after which a volunteer may try again; the student is told how."""
BETWEEN_S = 6.0


class Watcher:
    """Port `Observer`: each note as the event it becomes, with the second at which it was told."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock, self._stream = clock, io.StringIO()
        self._json = JsonLines(self._stream, Words("fr"))
        self.told: list[tuple[float, dict[str, Any]]] = []

    def note(self, note: Note) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._json.note(note)
        self.told.append((self._clock.monotonic(), json.loads(self._stream.getvalue())))


def came(number: int) -> float:
    return 4.0 + number * BETWEEN_S


@pytest.fixture
def events(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the gate told about each of them, from the badge to the gate at rest: seconds since the badge, event."""
    scenario = Scenario.model_validate(
        {
            "title": "equal lanes",
            "config": {"gate": {"hold": {"refer_s": 3, "granted_s": 1}}, "badges": {"readers": [{"kind": "stdin"}]}},
            "people": {name: person for name, (person, _) in PEOPLE.items()},
            "events": [
                event
                for number, name in enumerate(PEOPLE)
                for event in (
                    {"at": came(number), "show": {"faces": ["ana"]}, "types": name},
                    {"at": came(number) + 1.0, "press": "diary"},
                )
            ],
            "decisions": [],
            "glances": [],
            "until": came(len(PEOPLE)),
        }
    )
    stage = prepare(site, scenario)
    clock = VirtualClock(stage.wall)
    watcher = Watcher(clock)
    played = play(stage, tmp_path_factory.mktemp("played"), watchers=[watcher], clock=clock)
    assert (0, 0) == played.face_calls
    found: dict[str, Any] = {}
    for number, name in enumerate(PEOPLE):
        begin = came(number) - 0.05
        found[name] = [
            (round(at - came(number), 6), event) for at, event in watcher.told if begin <= at < begin + BETWEEN_S
        ]
    return found


def neutral(event: dict[str, Any]) -> dict[str, Any]:
    """Without what may differ: which presentation, the reason and what the supervisor reads of it, milliseconds."""
    return {key: value for key, value in event.items() if key not in ("presentation", "reason", "supervisor")} | (
        {"latency_ms": 0} if "latency_ms" in event else {}
    )


def test_everybody_without_a_comparison_gets_the_same(events: dict[str, Any]) -> None:
    """The same events, with the same fields, lights, sounds and student's sentences, in the same order, and in the
    same second: nothing is waited for, neither a camera nor a clock."""
    told = {name: [(after, neutral(event)) for after, event in story] for name, story in events.items()}
    assert all(told["ana"] == story for story in told.values())
    assert {0.0} == {after for after, event in told["ana"] if event.get("state") == Phase.REFER}
    reasons = {name: [event["reason"] for _, event in story if "reason" in event] for name, story in events.items()}
    assert {name: [reason, "supervisor"] for name, (_, reason) in PEOPLE.items()} == reasons


def test_the_button_follows_in_the_same_presentation(events: dict[str, Any]) -> None:
    """Two decisions, amber then green, with one number."""
    for story in events.values():
        decisions = [event for _, event in story if event["event"] == "decision"]
        assert ["refer", "granted"] == [event["decision"] for event in decisions]
        assert 1 == len({event["presentation"] for event in decisions})
        lights = [event["amber"] + event["green"] for _, event in story if event["event"] == "signal"]
        assert ["onoff", "offon", "offoff"] == lights


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_student_reads_the_same_sentence(language: str) -> None:
    """Nobody beside the gate can read there who volunteered, whose consent ended, or whose device is out of order."""
    words = Words(language)
    refer = {reason for reason in Reason if Verdict(reason).decision is Decision.REFER}
    assert refer >= TRY_AGAIN | {Reason.NOT_ENROLLED, Reason.CONSENT_EXPIRED}
    assert 1 == len({words.student(Phase.REFER, Verdict(reason)) for reason in refer - TRY_AGAIN})
