"""Port `Observer`: told what the gate does, able to change nothing, and never raising."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest
from rich.console import Console

from edgegate.clock import VirtualClock
from edgegate.demo.director import Director
from edgegate.demo.terminal import Terminal
from edgegate.events import JsonLines
from edgegate.model import DECISION_OF, FAULTS, Decision, Detail, Reason, Verdict
from edgegate.ports import DecisionNote, HintNote, Note, Observer, SignalNote, StateNote
from edgegate.signals.patterns import PATTERNS
from edgegate.state import HintKind, Lights, Phase
from edgegate.words import LANGUAGES, Words
from tests.contracts.kit import begin, child

MAKERS: dict[str, Callable[[TextIO, Words], Observer]] = {
    "json": JsonLines,
    "terminal": lambda stream, words: Terminal(Console(file=stream), words),
    "director": lambda stream, words: Director([], VirtualClock(), lambda number, act: None),
}
PHASE_OF = {Decision.GRANTED: Phase.GRANTED, Decision.ALARM: Phase.ALARM, Decision.REFER: Phase.REFER}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[TextIO, Words], Observer]:
    """Each adapter, still without its stream and language."""
    return MAKERS[request.param]


def verdicts() -> Iterator[Verdict]:
    """Everything a gate can decide, with every detail."""
    for reason in Reason:
        yield Verdict(reason)
    yield from (Verdict(Reason.FORGED, detail.value) for detail in Detail)
    yield from (Verdict(Reason.OUT_OF_ORDER, fault.value) for fault in FAULTS)


def notes() -> Iterator[Note]:
    """Everything a gate can tell."""
    for phase in (Phase.READY, Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING, Phase.LOCKDOWN):
        yield StateNote(phase, None, frozenset())
    for fault in FAULTS:
        yield StateNote(Phase.FAULT, None, frozenset({fault}))
    yield StateNote(Phase.FAULT, None, FAULTS)
    for verdict in verdicts():
        if verdict.decision is not Decision.FAULT:
            yield StateNote(PHASE_OF[verdict.decision], verdict, frozenset())
        number = None if verdict.decision is Decision.FAULT else 3
        yield DecisionNote(number, verdict.decision, verdict.reason, verdict.detail, 41.23456)
    for lights in Lights:
        yield SignalNote(lights, {name: getattr(PATTERNS[lights], name).value for name in PATTERNS[lights].__slots__})
    yield from (HintNote(kind) for kind in HintKind)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_can_be_told(make: Callable[[TextIO, Words], Observer], language: str) -> None:
    """There are words for every state, reason, detail, fault and hint in each language."""
    observer = make(io.StringIO(), Words(language))
    for note in notes():
        observer.note(note)


def test_a_closed_stream_stops_nothing(make: Callable[[TextIO, Words], Observer]) -> None:
    """What can no longer be written is not written; the gate goes on."""
    stream = io.StringIO()
    observer = make(stream, Words("en"))
    stream.close()
    for note in notes():
        observer.note(note)


class FullDisk(io.StringIO):
    """A file on a disk without space."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_stops_nothing(make: Callable[[TextIO, Words], Observer]) -> None:
    """A stream without space is as good as none."""
    observer = make(FullDisk(), Words("en"))
    for note in notes():
        observer.note(note)


def test_a_stream_without_french_letters_stops_nothing(make: Callable[[TextIO, Words], Observer]) -> None:
    """An ASCII terminal cannot show an accent; that is no reason to fail."""
    observer = make(io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True), Words("fr"))
    for note in notes():
        observer.note(note)


def test_json_lines_survive_a_reader_that_went_away() -> None:
    """`run --events - | head` ends the reading, not the gate."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    observer = JsonLines(stream, Words("en"))
    for _ in range(3):
        observer.note(HintNote(HintKind.NOT_A_BADGE))
    with suppress(OSError):
        stream.close()


def test_the_terminal_survives_a_reader_that_went_away(tmp_path: Path) -> None:
    """`demo | head` ends the showing, not the gate. In another process, whose stdout it is."""
    proof = tmp_path / "proof"
    with child("terminal", proof, 0, 3) as process:
        assert process.stdout is not None
        process.stdout.close()
        begin(process)
        process.wait(30)
    assert proof.exists()


def test_each_json_line_is_one_event() -> None:
    """Every note is one line of JSON with its kind, in the order told, and holds the fields that are promised."""
    stream = io.StringIO()
    observer = JsonLines(stream, Words("fr"))
    told = list(notes())
    for note in told:
        observer.note(note)
    events = [json.loads(text) for text in stream.getvalue().splitlines()]
    kinds = {StateNote: "state", DecisionNote: "decision", SignalNote: "signal", HintNote: "hint"}
    assert [kinds[type(note)] for note in told] == [event["event"] for event in events]
    for note, event in zip(told, events, strict=True):
        if isinstance(note, StateNote):
            assert note.phase == event["state"]
            assert event["sentence"].strip()
        elif isinstance(note, DecisionNote):
            assert DECISION_OF[note.reason] == event["decision"]
            assert (note.presentation, note.reason, 41.2) == (
                event["presentation"],
                event["reason"],
                event["latency_ms"],
            )
            assert note.detail == event.get("detail")
        elif isinstance(note, SignalNote):
            assert {"event": "signal", **note.levels} == event
            assert {"green", "amber", "red", "buzzer", "relay"} == set(note.levels)
