"""Pictures of people, one folder a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegate.calibration.problems import Problem, Unusable
from edgegate.errors import EdgeGateError
from edgegate.images import SUFFIXES

MAX_PICTURES = 50_000
MAX_EACH = 200
"""Pictures of one person; more would make genuine scores of a few people the bulk of all."""
NEXT = "give a folder that holds one folder of pictures for each person"


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, and the number of the person it shows."""

    path: Path
    person: int


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures in the order of their people, the people's names (their folders'), and what was left out."""

    pictures: Sequence[Picture]
    people: Sequence[str]
    problems: Sequence[Problem]


def read(folder: Path) -> Album:
    """All pictures in the folders of `folder`, sorted by name. Raises EdgeGateError when it shows fewer than two
    people, with what was left out of it."""
    pictures: list[Picture] = []
    people: list[str] = []
    problems: list[Problem] = []
    for entry in listing(folder):
        if not entry.is_dir():
            problems.append(Problem("stray", entry.name, "lies in no person's folder"))
            continue
        found: list[Picture] = []
        for path in listing(entry):
            place = f"{entry.name}/{path.name}"
            if path.suffix.lower() not in SUFFIXES:
                problems.append(Problem("not_a_picture", place, "is no picture that is read here, by its name"))
            elif not path.is_file():
                problems.append(Problem("not_a_picture", place, "is no file, or a link that leads nowhere"))
            elif len(found) == MAX_EACH:
                problems.append(Problem("too_many", place, f"is beyond the {MAX_EACH} pictures taken of one person"))
            else:
                found.append(Picture(path, len(people)))
        if not found:
            problems.append(Problem("no_pictures", entry.name, "holds no picture"))
            continue
        people.append(entry.name)
        pictures += found
    refuse_too_many(len(pictures), folder)
    if len(people) < 2:
        what = "holds pictures of one person only" if people else "holds no person's folder with pictures"
        raise Unusable(f"{what}, so nobody can be told apart", where=folder, next=NEXT, problems=problems)
    return Album(pictures, people, problems)


def listing(folder: Path) -> list[Path]:
    """What a folder holds, sorted."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        raise EdgeGateError("does not exist", where=str(folder), next=NEXT) from None
    except OSError as error:
        raise EdgeGateError(f"cannot be read ({error.strerror})", where=str(folder), next=NEXT) from None


def refuse_too_many(count: int, where: Path) -> None:
    """Raises EdgeGateError when there are more pictures than one run takes."""
    if count > MAX_PICTURES:
        raise EdgeGateError(
            f"{count} pictures, at most {MAX_PICTURES} are taken", where=str(where), next="calibrate on fewer people"
        )
