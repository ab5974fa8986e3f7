"""Forgetting that is checked: what was erased is looked for in every file, and a receipt says so only if it is nowhere.

This is *logical* erasure: the files, as the system shows them, hold nothing of it. What a memory card keeps in cells
that it no longer shows is beyond any program; what it keeps of a badge-keyed template is sealed, and stays so.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edgegate.errors import EdgeGateError, StoreError
from edgegate.stores import Erased, Signer
from edgegate.traces import Traces

KIND = "edgegate receipt 1"
HANDLE_DIGITS = 12
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Receipt:
    """Says what was forgotten, signed by the device's key. No person, and of a badge the first digits of its handle."""

    text: str
    """What is signed: lines of UTF-8, the last one ended too."""
    signature: bytes

    def __str__(self) -> str:
        return f"{self.text}signature: {base64.b64encode(self.signature).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A change that was made, and what the search after it saw."""

    erased: Erased
    folders: tuple[Path, ...]
    files: int
    """How many files were read from end to end."""
    found: tuple[Path, ...]
    """Files that still hold something of it."""
    unread: EdgeGateError | None = field(default=None)
    """The first file that could not be read, so that nobody knows."""

    def receipt(self, what: str, *, at: int, signer: Signer, handle: bytes | None = None) -> Receipt:
        """A receipt for `what` (a few words, such as "consent withdrawn"), at `at` (UTC seconds).

        Raises EdgeGateError when something was found, not everything could be read, or nothing was forgotten.
        """
        if self.unread is not None:
            raise self.unread
        if self.found:
            more = f" and {len(self.found) - 1} more" if len(self.found) > 1 else ""
            raise EdgeGateError(
                f"still holds some of what was erased{more}",
                where=str(self.found[0]),
                next="delete it if it is a copy; the vault itself is overwritten when nobody reads it any more",
            )
        if not self.erased.rows:
            raise EdgeGateError("nothing was there to erase", next="see `edgegate consent show`")
        lines = [
            KIND,
            f"what: {what}",
            f"badge: {handle.hex()[:HANDLE_DIGITS] if handle else '-'}",
            f"rows: {self.erased.rows}",
            f"at: {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            f"device: {signer.name}",
            *(f"folder: {folder}" for folder in self.folders),
            f"looked for: {len(self.erased.traces)} values that were in those rows, any 16 bytes of them",
            f"files read: {self.files}",
            "files holding any of it: 0",
            "not covered: what a memory card keeps and no longer shows; copies outside these folders",
        ]
        text = "".join(f"{_printable(line)}\n" for line in lines)
        return Receipt(text, signer.sign(text.encode("utf-8")))


def forget(change: Callable[[], Erased], folders: Sequence[Path], *, compact: Callable[[], object]) -> Forgotten:
    """Make a change to the vault, and look for what it took away in every file below the folders.

    `compact` is the vault's own, for what SQLite left between rows. Raises what `change` raises; whatever comes after
    it cannot undo it, and is in what is returned.
    """
    erased = change()
    forgotten = _look(erased, folders)
    if forgotten.found:
        try:
            compact()
        except StoreError:
            return forgotten  # no space, or another process reads on and on: the files found are told
        forgotten = _look(erased, folders)
    return forgotten


def check(erased: Erased, folders: Iterable[Path]) -> list[Path]:
    """The files below these folders that still hold 16 bytes of a trace. Raises EdgeGateError for what cannot be
    read."""
    forgotten = _look(erased, folders)
    if forgotten.unread is not None:
        raise forgotten.unread
    return list(forgotten.found)


def _look(erased: Erased, folders: Iterable[Path]) -> Forgotten:
    """Once, or again when files come and go meanwhile: what vanished may have been renamed."""
    traces, below = Traces(erased.traces), tuple(dict.fromkeys(folder.absolute() for folder in folders))
    for tries_left in reversed(range(_TRIES)):
        files, found, unread = 0, [], None
        try:
            for path in _files(below):
                files += 1
                if traces.inside(path):
                    found.append(path)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and tries_left:
                continue
            unread = _not_read(error)
        break
    return Forgotten(erased, below, files, tuple(found), unread)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    """Every file once, through links too; what is neither file nor folder holds nothing. Raises OSError."""
    waiting, seen = list(folders), set[tuple[int, int]]()
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                continue  # it leads nowhere
            raise
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                waiting.extend(Path(entry.path) for entry in entries)
        elif stat.S_ISREG(status.st_mode):
            yield path


def _not_read(error: OSError) -> EdgeGateError:
    gone = isinstance(error, FileNotFoundError)
    return EdgeGateError(
        "vanished while it was to be read" if gone else f"cannot be read ({error.strerror})",
        where=str(error.filename or ""),
        next="it is erased, but nobody has seen that it is gone: "
        + ("run this again" if gone else "run this as root, or take the file away"),
    )


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line)
