"""What was wrong with the data: each thing left out is one line, and is counted under a code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegate.errors import EdgeGateError

MAX_WHERE = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One picture, row or folder that could not be used as it is. `where` may name a person: it is shown on the
    terminal, and is in no file that is written."""

    code: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{printable(self.where)}: {self.what}"


class Unusable(EdgeGateError):
    """Nothing is left to work with; `problems` says what became of each part. The line itself counts them."""

    def __init__(self, what: str, *, where: Path, next: str, problems: Sequence[Problem]) -> None:
        self.problems = problems
        counted = ", ".join(f"{count} {code}" for code, count in counts(problems).items())
        super().__init__(f"{what} ({counted})" if counted else what, where=str(where), next=next)


def printable(text: str) -> str:
    """A name from a disk or a table, as one line that a terminal can show."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= MAX_WHERE else f"{shown[: MAX_WHERE - 1]}…"


def counts(problems: Iterable[Problem]) -> dict[str, int]:
    """How many of each code, the most frequent first."""
    return dict(Counter(problem.code for problem in problems).most_common())
