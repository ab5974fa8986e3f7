"""Lists of labelled pairs: a table `file_x,file_y,same` (or `Decision`), or LFW's `pairs.txt` as it is.

The names of LFW's files and folders are those of its README: NAME/NAME_0001.jpg.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.people import Album, Picture, refuse_too_many
from edgegate.calibration.problems import Problem, Unusable, printable
from edgegate.calibration.statistics import Indices
from edgegate.calibration.table import read_table, read_text
from edgegate.errors import EdgeGateError

NEXT = "give a CSV file with the columns file_x,file_y,same (or Decision, Yes or No), or LFW's pairs.txt"
YES = frozenset({"yes", "true", "1", "same"})
NO = frozenset({"no", "false", "0", "different"})
_COLUMNS = (("file_x",), ("file_y",), ("same", "decision"))


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Rows of picture numbers (into `album.pictures`), whether they show one person, and their fold (0 for all
    where the list has none)."""

    album: Album
    first: Indices
    second: Indices
    same: NDArray[np.bool_]
    fold: Indices
    named: bool
    """Are the people's names known, from the list or their folders?"""


@dataclass(slots=True)
class _Row:
    number: int
    first: str
    second: str
    same: bool
    fold: int = 0
    kept: bool = True


@dataclass(slots=True)
class _Rows:
    """The rows so far, each file looked for once."""

    folder: Path
    rows: list[_Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _seen: dict[tuple[str, str], _Row] = field(default_factory=dict)
    _there: dict[str, bool] = field(default_factory=dict)

    def add(self, row: _Row) -> None:
        row.first, row.second = (os.path.normpath(name.strip()) for name in (row.first, row.second))
        for name in (row.first, row.second):
            if not self._is_file(name):
                return self.refuse("missing", row.number, f"there is no picture {printable(name)}")
        if row.first == row.second:
            return self.refuse("itself", row.number, "compares a picture with itself")
        key = (min(row.first, row.second), max(row.first, row.second))
        before = self._seen.setdefault(key, row)
        if before is row:
            self.rows.append(row)
        elif before.same == row.same:
            self.refuse("repeated", row.number, f"repeats row {before.number}")
        else:
            before.kept = False
            self.refuse("contradictory", row.number, f"contradicts row {before.number}; neither is used")
        return None

    def refuse(self, code: str, number: int, what: str) -> None:
        self.problems.append(Problem(code, f"row {number}", what))

    def _is_file(self, name: str) -> bool:
        if name not in self._there:
            try:
                self._there[name] = (self.folder / name).is_file()
            except OSError:
                self._there[name] = False
        return self._there[name]


def read(path: Path, folder: Path) -> PairList:
    """The rows that can be used, their files below `folder`. Raises EdgeGateError for a list of another kind, or one
    that leaves no row, with why none was."""
    text = read_text(path, NEXT)
    rows = _Rows(folder)
    header = re.match(r"\s*\d+(?:[ \t]+(\d+))?[ \t]*\r?\n", text)
    if header:
        _read_lfw(text, header, rows)
    else:
        _read_csv(path, rows)
    names = None if header else _joined(rows)
    kept = [row for row in rows.rows if row.kept]
    if not kept:
        missing = all(problem.code == "missing" for problem in rows.problems)
        advice = f"are these files below {folder}?" if rows.problems and missing else NEXT
        raise Unusable("has no row that can be used", where=path, next=advice, problems=rows.problems)
    files = sorted({name for row in kept for name in (row.first, row.second)})
    refuse_too_many(len(files), path)
    folders = {name: name.rpartition("/")[0] for name in files}
    named = bool(header) or all(folders[r.first] and (folders[r.first] == folders[r.second]) == r.same for r in kept)
    owner = folders if named or names is None else names
    people = sorted({owner[name] for name in files})
    number_of, place_of = ({name: number for number, name in enumerate(some)} for some in (people, files))
    album = Album([Picture(folder / name, number_of[owner[name]]) for name in files], people, rows.problems)
    return PairList(
        album,
        np.array([place_of[row.first] for row in kept], np.int32),
        np.array([place_of[row.second] for row in kept], np.int32),
        np.array([row.same for row in kept], np.bool_),
        np.array([row.fold for row in kept], np.int32),
        named,
    )


def _read_csv(path: Path, rows: _Rows) -> None:
    for number, (first, second, word) in read_table(path, _COLUMNS, NEXT):
        said = word.strip().lower()
        if not first.strip() or not second.strip():
            rows.refuse("malformed", number, "needs two files")
        elif said not in YES | NO:
            rows.refuse("malformed", number, f"says {printable(word.strip())!r}, which is neither yes nor no")
        else:
            rows.add(_Row(number, first, second, said in YES))


def _read_lfw(text: str, header: re.Match[str], rows: _Rows) -> None:
    """Each fold has as many matched pairs as the header says, then as many mismatched ones."""
    size = int(header[1]) if header[1] else 0
    for place, (number, fields) in enumerate(_lines(text, header)):
        fold = place // (2 * size) if size else 0
        match fields:
            case [name, first, second] if first.isdigit() and second.isdigit():
                rows.add(_Row(number, _lfw(name, first), _lfw(name, second), True, fold))
            case [name, first, other, second] if first.isdigit() and second.isdigit():
                rows.add(_Row(number, _lfw(name, first), _lfw(other, second), name == other, fold))
            case _:
                rows.refuse("malformed", number, "is no pair as LFW writes them")


def _lines(text: str, header: re.Match[str]) -> Iterator[tuple[int, list[str]]]:
    start = text.count("\n", 0, header.end()) + 1
    for number, line in enumerate(text[header.end() :].splitlines(), start):
        if line.strip():
            yield number, line.split()


def _lfw(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04}.jpg"


def _joined(rows: _Rows) -> dict[str, str]:
    """Who shows whom where folders do not tell: files that rows join as `same` are one person, named by its first
    file. Rows that call two of these different are left out."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for row in rows.rows:
        if row.kept and row.same:
            low, high = sorted((root(row.first), root(row.second)))
            parent[high] = low
    for row in rows.rows:
        if row.kept and not row.same and root(row.first) == root(row.second):
            row.kept = False
            rows.refuse("contradictory", row.number, "says no, and other rows make the two one person; it is not used")
    return {name: root(name) for row in rows.rows for name in (row.first, row.second)}


def names_of(pairs: PairList) -> Sequence[str]:
    """The people's names, for groups. Raises EdgeGateError where nobody has a name."""
    if not pairs.named:
        raise EdgeGateError(
            "the list of pairs names files, not people", where="--groups", next="keep one folder of files a person"
        )
    return pairs.album.people
