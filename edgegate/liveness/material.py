"""The folder that `edgegate liveness test` reads: bona fide presentations, and attacks by their species.

    DIR/bona_fide/…          or DIR/live/…
    DIR/SPECIES/…            every other folder is one species of attack instrument, such as print or replay_phone
    DIR/attack/SPECIES/…     the same; pictures right inside `attack` are of the species that their name begins with,
                             up to the last underscore: screen_1.jpg is of the species screen

Inside each: a picture stands for one frame by itself; a folder of pictures, in the order of their names, or a video,
for one presentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.images import SUFFIXES

BONA_FIDE = ("bona_fide", "live")
ATTACKS = ("attack", "attacks")
VIDEOS = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm"})
MAX_SOURCES = 100_000


@dataclass(frozen=True, slots=True)
class Source:
    """One picture, one video, or the pictures of one presentation."""

    name: str
    """Its path below DIR."""
    paths: tuple[Path, ...]
    sequence: bool

    @property
    def video(self) -> bool:
        return self.paths[0].suffix.lower() in VIDEOS


@dataclass(slots=True)
class Material:
    """What was found. `problems` holds one line for each thing that is not used."""

    bona_fide: list[Source] = field(default_factory=list)
    attacks: dict[str, list[Source]] = field(default_factory=dict)
    """By species."""
    problems: list[str] = field(default_factory=list)

    @property
    def sources(self) -> list[tuple[str | None, Source]]:
        """All of them with their species; None for bona fide."""
        found: list[tuple[str | None, Source]] = [(None, source) for source in self.bona_fide]
        return found + [(name, source) for name in sorted(self.attacks) for source in self.attacks[name]]


def find(root: Path) -> Material:
    """Look through `root`. Raises EdgeGateError where there is nothing to test in it."""
    found, count = Material(), 0
    for path in _inside(root):
        if not path.is_dir():
            found.problems.append(f"{path.name}: lies beside the folders, and is not used")
        elif path.name in BONA_FIDE:
            found.bona_fide += _sources(root, path, found.problems)
        elif path.name in ATTACKS:
            _attacks(root, path, found)
        else:
            _add(found, path.name, _sources(root, path, found.problems))
        count = len(found.sources)
        if count > MAX_SOURCES:
            raise EdgeGateError(f"holds more than {MAX_SOURCES:,} presentations", where=str(root), next="test a part")
    if not count:
        raise EdgeGateError(
            "holds nothing to test",
            where=str(root),
            next="put pictures or videos into bona_fide/ and into one folder for each species of attack",
        )
    return found


def _attacks(root: Path, folder: Path, found: Material) -> None:
    for path in _inside(folder):
        if path.is_dir():
            _add(found, path.name, _sources(root, path, found.problems))
        elif source := _source(root, path, found.problems):
            _add(found, re.sub(r"_[^_]*$", "", path.stem) or path.stem, [source])


def _add(found: Material, species: str, sources: list[Source]) -> None:
    if sources:
        found.attacks.setdefault(species, []).extend(sources)


def _sources(root: Path, folder: Path, problems: list[str]) -> list[Source]:
    found = [source for path in _inside(folder) if (source := _source(root, path, problems)) is not None]
    if not found:
        problems.append(f"{_name(root, folder)}: holds no picture and no video")
    return found


def _source(root: Path, path: Path, problems: list[str]) -> Source | None:
    name, suffix = _name(root, path), path.suffix.lower()
    if path.is_dir():
        frames = []
        for frame in _inside(path):
            if frame.suffix.lower() in SUFFIXES and not frame.is_dir():
                frames.append(frame)
            else:
                problems.append(f"{_name(root, frame)}: is no picture, and is not used")
        if frames:
            return Source(name, tuple(frames), sequence=True)
        problems.append(f"{name}: holds no picture")
    elif suffix in SUFFIXES:
        return Source(name, (path,), sequence=False)
    elif suffix in VIDEOS:
        return Source(name, (path,), sequence=True)
    else:
        problems.append(f"{name}: is neither picture nor video, and is not used")
    return None


def _inside(folder: Path) -> Iterator[Path]:
    """What is in a folder, `frame_10` after `frame_9`; what is hidden is nobody's presentation."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise EdgeGateError(
            f"cannot be listed ({error.strerror})", where=str(folder), next="name a folder, see `edgegate liveness`"
        ) from None
    return iter(sorted(found, key=lambda path: _natural(path.name)))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(digits or 0), text) for digits, text in re.findall(r"(\d{1,18})|(\D+|\d)", name)]


def _name(root: Path, path: Path) -> str:
    return str(path.relative_to(root))
