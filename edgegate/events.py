"""The gate's notes as lines of JSON, for `run --events`. They hold no name, number, score or picture."""

from __future__ import annotations

import json
import logging
from typing import Any, TextIO

from edgegate.ports import DecisionNote, HintNote, Note, SignalNote, StateNote
from edgegate.words import Words

log = logging.getLogger(__name__)


class JsonLines:
    """Port `Observer`: one object a line, written at once."""

    def __init__(self, stream: TextIO, words: Words) -> None:
        self._stream: TextIO | None = stream
        self._words = words

    def note(self, note: Note) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(as_event(note, self._words), ensure_ascii=False) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            # A reader that went away must not stop the gate.
            log.error("events are no longer written: %s", error)
            self._stream = None


def as_event(note: Note, words: Words) -> dict[str, Any]:
    """A note as the object that `--events` writes."""
    match note:
        case StateNote(phase=phase, verdict=verdict, faults=faults):
            return {
                "event": "state",
                "state": phase.value,
                "sentence": words.state(phase, faults),
                "student": words.student(phase, verdict),
                "supervisor": words.supervisor(phase, verdict),
                "faults": sorted(faults),
            }
        case DecisionNote():
            event: dict[str, Any] = {
                "event": "decision",
                "presentation": note.presentation,
                "decision": note.decision.value,
                "reason": note.reason.value,
                "latency_ms": round(note.latency_ms, 1),
            }
            return event | ({"detail": note.detail} if note.detail else {})
        case SignalNote(levels=levels):
            return {"event": "signal", **levels}
        case HintNote(kind=kind):
            return {"event": "hint", "hint": kind.value, "student": words.hint(kind)}
