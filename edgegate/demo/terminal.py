"""The demo on a terminal: what a person would see at the gate, and the table at the end."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from pathlib import Path

from rich import box
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegate.demo.acts import Act
from edgegate.demo.director import Result
from edgegate.ports import HintNote, Note, SignalNote, StateNote
from edgegate.signals.patterns import Rhythm
from edgegate.state import Phase
from edgegate.words import Words

_LAMPS = {"green": "green3", "amber": "orange1", "red": "red1"}
_RHYTHM = {
    Rhythm.ON: "on",
    Rhythm.SLOW: "slow blink",
    Rhythm.QUICK: "quick blink",
    Rhythm.FLASH: "flashes",
    Rhythm.OFF: "",
}
_SOUND = {Rhythm.CHIRP: "♪ one chirp", Rhythm.FLASH: "♪ ticks"}


class Terminal:
    """Port `Observer`."""

    def __init__(self, console: Console, words: Words) -> None:
        self._console, self._words = console, words
        self._levels: dict[str, str] = {}

    def announce(self, number: int, act: Act) -> None:
        self._console.print()
        self._console.print(f"[bold]{number:>2}. {act.title}[/bold]", highlight=False)

    def note(self, note: Note) -> None:
        # A terminal that is gone, full or knows no accents must not stop the gate.
        # (SystemExit is how rich answers a broken pipe.)
        with suppress(OSError, ValueError, SystemExit):
            self._show(note)

    def _show(self, note: Note) -> None:
        match note:
            case SignalNote(levels=levels) if levels != self._levels:
                self._levels = levels
                self._console.print(_lamps(levels))
            case StateNote(phase=phase, verdict=verdict) if phase not in (Phase.CHECKING, Phase.READY):
                self._say("student", self._words.student(phase, verdict))
                said = self._words.state(phase, note.faults) if phase is Phase.FAULT else ""
                self._say("supervisor", said or self._words.supervisor(phase, verdict))
            case HintNote(kind=kind):
                self._say("student", self._words.hint(kind))
            case _:
                pass

    def _say(self, who: str, sentence: str) -> None:
        self._console.print(Text.assemble(("      ", ""), (f"{who:<11}", "dim"), sentence))


def table(results: list[Result]) -> Table:
    """One line an act: what was expected, what the gate decided, and how long it computed."""
    grid = Table(title="What the gate decided", title_justify="left", box=box.SIMPLE)
    for title, justify in (
        ("", "right"),
        ("presentation", "left"),
        ("decision", "left"),
        ("reason", "left"),
        ("ms", "right"),
        ("", "left"),
    ):
        grid.add_column(title, justify="right" if justify == "right" else "left")
    for number, result in enumerate(results, start=1):
        above = "\n" if result.act.hint and result.decisions else ""  # the hint came first, and decided nothing
        decision = (above and "hint\n") + "\n".join(note.decision.value for note in result.decisions) or "ignored"
        latency = above + "\n".join(f"{note.latency_ms:.0f}" if note.presentation else "" for note in result.decisions)
        mark = "[green]as expected[/green]" if result.good else f"[red]expected {', '.join(result.act.expected)}[/red]"
        grid.add_row(str(number), result.act.title, decision, "\n".join(result.got), latency, mark)
    return grid


def draw(results: list[Result], path: Path) -> None:
    """The table as an SVG picture, for the README; in whatever monospaced font the reader has."""
    console = Console(record=True, file=io.StringIO(), width=106)
    console.print(table(results))
    fonts = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)
    console.save_svg(str(path), title="make demo", code_format=fonts.sub("", CONSOLE_SVG_FORMAT))


def _lamps(levels: dict[str, str]) -> Text:
    line = Text("      ")
    for name, colour in _LAMPS.items():
        rhythm = Rhythm(levels[name])
        lit = rhythm is not Rhythm.OFF
        line.append("● " if lit else "○ ", colour if lit else "grey50")
        line.append(f"{name} {_RHYTHM[rhythm]}".ljust(18), "" if lit else "grey50")
    buzzer = Rhythm(levels["buzzer"])
    if buzzer is not Rhythm.OFF:
        line.append(_SOUND.get(buzzer, "♪ BUZZER"), "bold")
    return line
