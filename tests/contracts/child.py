"""What tests do in another process: to kill it, to starve it of space, or to race with it.

`python -m tests.contracts.child WHAT PATH FIRST COUNT`: says `ready`, waits for a line, then works and says each
number once it is acknowledged.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.files import only_one
from edgegate.journal.store import SqliteJournal
from edgegate.stores import Entry
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import CONSENT, NOW, SECRET, card_number, credential, template

SPACE = 96 * 1024
"""Bytes a file may have in the `-starved` variants."""


def say(word: object) -> None:
    print(word, flush=True)


def _numbers(first: int, count: int, work: Callable[[int], object]) -> None:
    try:
        for number in range(first, first + count):
            work(number)
            say(number)
    except EdgeGateError as error:
        say(f"{type(error).__name__} {error}")


def vault(path: Path, first: int, count: int) -> None:
    """Enrol volunteers."""
    with closing(SqliteVault(path, SECRET, create=True)) as store:
        _numbers(
            first,
            count,
            lambda number: store.enrol(
                credential(number),
                card_number=card_number(number),
                template=template(number),
                consent=CONSENT,
            ),
        )


def journal(path: Path, first: int, count: int) -> None:
    """Append decisions; the presentation's number is the one said."""
    with closing(SqliteJournal(path, "Gate", create=True)) as store:
        _numbers(
            first,
            count,
            lambda number: store.append(
                Entry(at=NOW + number, kind="decision", decision="refer", reason="no_face", presentation=number)
            ),
        )


def lock(path: Path, first: int, count: int) -> None:
    """Hold the lock until killed."""
    try:
        with only_one(path):
            say("held")
            sys.stdin.readline()
    except EdgeGateError as error:
        say(f"refused {error}")


def terminal(path: Path, first: int, count: int) -> None:
    """Note something to a terminal whose other end has gone; `path` is where to say that it was survived."""
    from rich.console import Console

    from edgegate.demo.terminal import Terminal
    from edgegate.ports import HintNote
    from edgegate.state import HintKind
    from edgegate.words import Words

    watcher = Terminal(Console(), Words("en"))
    for _ in range(count):
        watcher.note(HintNote(HintKind.NOT_A_BADGE))
    path.write_text("survived", "utf-8")


def main(what: str, path: str, first: str = "0", count: str = "0") -> None:
    say("ready")
    sys.stdin.readline()
    if what.endswith("-starved"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (SPACE, SPACE))
    work = {"vault": vault, "journal": journal, "lock": lock, "terminal": terminal}[what.removesuffix("-starved")]
    work(Path(path), int(first), int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
