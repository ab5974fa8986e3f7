"""What was claimed, looked at and found, one line a claim, each with a command that checks it without EdgeGate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from shlex import join, quote

from edgegate.prove.scene import Scene


class Result(StrEnum):
    """How a claim stands."""

    HOLDS = "holds"
    FAILS = "fails"
    UNCHECKED = "unchecked"
    """It could not be looked at here, and nobody should think that it was."""
    PROMISE = "promise"
    """No machine can look at it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found: the sentence `key` of the claim, with these values in it."""

    result: Result
    key: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hand:
    """A line for the shell, and what it prints where the claim holds, but for the last newline."""

    command: str
    prints: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Both may raise whatever they like. `by_hand` is asked first, so that a look that fails still leaves it."""

    name: str
    look: Callable[[Scene], Found]
    by_hand: Callable[[Scene], Hand]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    name: str
    found: Found
    hand: Hand | None = None

    @property
    def result(self) -> Result:
        return self.found.result

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Report:
    """All lines, of which gate, by which version, and when (UTC seconds)."""

    gate: str
    version: str
    made: int
    lines: tuple[Line, ...]

    def count(self, result: Result) -> int:
        return Counter(line.result for line in self.lines)[result]

    def of(self, result: Result) -> list[Line]:
        return [line for line in self.lines if line.result is result]


def holds(key: str = "holds", **values: object) -> Found:
    """The claim was looked at, and is true."""
    return Found(Result.HOLDS, key, values)


def fails(key: str = "fails", **values: object) -> Found:
    """The claim was looked at, and is not true."""
    return Found(Result.FAILS, key, values)


def unchecked(key: str, **values: object) -> Found:
    """The claim could not be looked at here."""
    return Found(Result.UNCHECKED, key, values)


def judged(wrong: object, **values: object) -> Found:
    """It holds where nothing is wrong."""
    return Found(Result.FAILS, "fails", values) if wrong else Found(Result.HOLDS, "holds", values)


def sql(path: Path, query: str) -> str:
    """The line that asks SQLite's own program."""
    return f"sqlite3 -readonly {quote(str(path))} {quote(query)}"


def find(folders: tuple[Path, ...], *tests: str) -> str:
    """The line that asks find(1), which prints what passes the tests."""
    return join(["find", *map(str, folders), *tests])


def no_row(name: str, store: str, query: Callable[[Scene], str]) -> Claim:
    """The claim that a count of rows of `vault` or `journal` is 0."""

    def look(scene: Scene) -> Found:
        count = scene.number(scene.store(store), query(scene))
        return judged(count, count=count)

    return Claim(name, look, lambda scene: Hand(sql(scene.store(store), query(scene)), "0"))


LISTED = 8
"""How many names fit in one line of the report."""


def listed(names: list[str]) -> str:
    """The first few of them."""
    more = f", … ({len(names)})" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
