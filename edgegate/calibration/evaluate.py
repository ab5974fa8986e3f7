"""One calibration from the folder to the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import numpy as np

from edgegate import __version__
from edgegate.calibration import groups as group_table
from edgegate.calibration import pairs as pair_list
from edgegate.calibration import people
from edgegate.calibration.embed import Embedded, Loader, embed_all, stack
from edgegate.calibration.measure import Figures, measure
from edgegate.calibration.pairs import PairList
from edgegate.calibration.problems import Problem, counts
from edgegate.errors import EdgeGateError
from edgegate.faces.pack import Pack

LOOKS = 6
"""Nine altered copies of each of 779 pictures raised the FMR at a threshold for 1e-3 by 27 % with six looks and by
28 % with nine: what later looks add no longer matters."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to calibrate on. `operating` is the FMR the gate is set to; `data` says in words what the pictures are."""

    images: Path
    pairs: Path | None
    groups: Path | None
    operating: float
    looks: int
    jobs: int
    data: str


@dataclass(frozen=True, slots=True)
class Report:
    """A calibration: on what, with what, and what came out. `problems` may name people, and is for the terminal."""

    pack: Pack
    data: str
    made: str
    version: str
    pictures: int
    enrolled: int
    seen: int
    people: int
    listed: bool
    figures: Figures
    problems: Sequence[Problem]
    jobs: int
    embedding_s: float
    comparing_s: float

    @property
    def refused(self) -> dict[str, int]:
        """Pictures, rows and people that could not be used, or not for all, by reason."""
        return counts(self.problems)


class NothingToCompare(EdgeGateError):
    """No two people are left whose faces could be compared; `problems` says what became of the pictures."""

    def __init__(self, pictures: int, where: Path, problems: Sequence[Problem]) -> None:
        self.problems = problems
        super().__init__(
            f"of {pictures} pictures, those with a usable face show fewer than two people",
            where=str(where),
            next="see the reasons above, and use pictures taken from the front",
        )


Watcher = Callable[[int, int], None]
"""Is told how many pictures are done, and of how many."""


def evaluate(request: Request, pack: Pack, load: Loader, watch: Watcher) -> Report:
    """Read, embed, compare. Raises EdgeGateError where the data allow nothing."""
    pairs = pair_list.read(request.pairs, request.images) if request.pairs else None
    album = pairs.album if pairs is not None else people.read(request.images)
    names = pair_list.names_of(pairs) if pairs is not None and request.groups else album.people
    groups = group_table.read(request.groups, names) if request.groups else None
    start = monotonic()
    found: list[Embedded] = []
    # Closed at once when somebody interrupts: what still waits is not embedded any more.
    with closing(embed_all([picture.path for picture in album.pictures], pack, load, request.jobs)) as embeddings:
        for each in embeddings:
            found.append(each)
            watch(len(found), len(album.pictures))
    embedded = monotonic()
    data, refused = stack(album, found, pack.manifest.recogniser.metric, unique=pairs is None)
    problems = [*album.problems, *refused, *(groups.problems if groups else ())]
    if pairs is not None:
        pairs, more = _without_copies(pairs, found)
        problems += more
    if not data.enrolled.any() or not data.seen.any() or len(set(data.person[data.enrolled | data.seen])) < 2:
        raise NothingToCompare(len(album.pictures), request.images, problems)
    figures = measure(
        data,
        pairs=pairs,
        operating=request.operating,
        looks=request.looks,
        groups=(groups.names, groups.member_of) if groups else ((), ()),
    )
    return Report(
        pack=pack,
        data=request.data,
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=__version__,
        pictures=len(album.pictures),
        enrolled=int(data.enrolled.sum()),
        seen=int(data.seen.sum()),
        people=len(album.people),
        listed=pairs is not None,
        figures=figures,
        problems=problems,
        jobs=request.jobs,
        embedding_s=embedded - start,
        comparing_s=monotonic() - embedded,
    )


def _without_copies(pairs: PairList, found: Sequence[Embedded]) -> tuple[PairList, list[Problem]]:
    """A list without the rows whose two files are one picture: they say nothing, or contradict what one sees."""
    kept, problems = [], []
    for row, (first, second) in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        if found[first].digest and found[first].digest == found[second].digest:
            one, two = (f"{path.parent.name}/{path.name}" for path in (_path(pairs, first), _path(pairs, second)))
            code = "itself" if pairs.same[row] else "contradictory"
            problems.append(Problem(code, one, f"is the same picture as {two}; the row is not used"))
        else:
            kept.append(row)
    rows = np.array(kept, np.intp)
    changed = replace(
        pairs, first=pairs.first[rows], second=pairs.second[rows], same=pairs.same[rows], fold=pairs.fold[rows]
    )
    return changed, problems


def _path(pairs: PairList, picture: int) -> Path:
    return pairs.album.pictures[picture].path
