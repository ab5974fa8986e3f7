"""Tables from spreadsheets: bounded, comma or semicolon, columns by name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.files import read_small

MAX_BYTES = 128 * 1024 * 1024
MAX_ROWS = 1_000_000


def read_text(path: Path, next: str) -> str:
    """A text file, UTF-8 with or without its mark. Raises EdgeGateError when it is none."""
    try:
        text = read_small(path, MAX_BYTES, missing=next).decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise EdgeGateError("is no text in UTF-8", where=str(path), next=next)
    return text


def read_table(path: Path, columns: Sequence[tuple[str, ...]], next: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The number of each row, as a spreadsheet counts it, and its values in the columns asked for.

    A column may go by several names. A cell that is not there is empty. Raises EdgeGateError for a file without these
    columns.
    """
    text = read_text(path, next)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        header = [name.strip().lower() for name in _row(reader)]
        places = [_column(names, header, path, next) for names in columns]
        for number, cells in enumerate(reader, 2):
            if number > MAX_ROWS + 1:
                raise EdgeGateError(f"has more than {MAX_ROWS} rows", where=str(path), next="give fewer")
            if any(cell.strip() for cell in cells):
                yield number, tuple(cells[place] if place < len(cells) else "" for place in places)
    except csv.Error as error:
        raise EdgeGateError(f"is no table ({error})", where=str(path), next=next) from None


def _row(reader: Iterator[list[str]]) -> list[str]:
    for cells in reader:
        return cells
    return []


def _column(names: tuple[str, ...], header: list[str], path: Path, next: str) -> int:
    found = [place for place, name in enumerate(header) if name in names]
    if len(found) != 1:
        what = "twice" if found else "not"
        raise EdgeGateError(f"the column {' or '.join(names)} is {what} there", where=str(path), next=next)
    return found[0]
