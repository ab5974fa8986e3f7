"""Which group each person belongs to: a table `identity,group`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegate.calibration.problems import Problem, Unusable, printable
from edgegate.calibration.table import read_table

MAX_GROUPS = 100
_NEXT = "give a CSV file with the columns identity,group"


@dataclass(frozen=True, slots=True)
class Groups:
    """Names of the groups, the group of each person (-1: none), and the rows and people left out."""

    names: Sequence[str]
    member_of: Sequence[int]
    problems: Sequence[Problem]


def read(path: Path, people: Sequence[str]) -> Groups:
    """The groups of `people`, who are named as their folders are. Raises EdgeGateError for a table without use."""
    said: dict[str, dict[str, int]] = {}
    problems = []
    for number, row in read_table(path, (("identity",), ("group",)), _NEXT):
        identity, group = (value.strip() for value in row)
        if not identity or not group:
            problems.append(Problem("malformed", f"{path.name}, row {number}", "needs both identity and group"))
        else:
            said.setdefault(identity, {}).setdefault(group, number)
    for identity, groups in said.items():
        if len(groups) > 1:
            rows = " and ".join(map(str, sorted(groups.values())))
            problems.append(
                Problem("contradictory", identity, f"rows {rows} of {path.name} name different groups; none is used")
            )
    known = set(people)
    problems += [
        Problem("unknown_identity", identity, f"is in {path.name}, and has no pictures")
        for identity in said
        if identity not in known
    ]
    chosen = {name: next(iter(groups)) for name, groups in said.items() if len(groups) == 1 and name in known}
    problems += [Problem("ungrouped", name, f"has no row in {path.name}") for name in people if name not in said]
    names = sorted(set(chosen.values()))
    if not 0 < len(names) <= MAX_GROUPS:
        what = f"names {len(names)} groups, at most {MAX_GROUPS} are taken" if names else "names none of these people"
        raise Unusable(what, where=path, next=_NEXT, problems=problems)
    numbers = {name: number for number, name in enumerate(names)}
    member_of = [numbers[chosen[name]] if name in chosen else -1 for name in people]
    return Groups([printable(name) for name in names], member_of, problems)
