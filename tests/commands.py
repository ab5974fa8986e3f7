"""What the tests of the commands share: what a command said when it worked or refused, and what it left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Cli = Callable[..., tuple[int, str, str]]


def good(result: tuple[int, str, str]) -> str:
    """What a command printed that did its work."""
    code, out, err = result
    assert (0, "") == (code, err)
    return out


def refusal(result: tuple[int, str, str]) -> str:
    """The one line of a command that refused."""
    code, out, err = result
    assert (2, "", 1) == (code, out, len(err.splitlines())), (out, err)
    return err.strip()


def left(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but SQLite's passing ones."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def but_journal(folder: Path) -> dict[str, bytes]:
    """The same without the journal, in which every look at the vault is a row."""
    return {name: data for name, data in left(folder).items() if name != "journal.db"}
