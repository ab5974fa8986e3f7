"""Folders of people, and the table of their groups."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgegate.calibration import groups, people
from edgegate.calibration.problems import Unusable, counts
from edgegate.errors import EdgeGateError
from tests.calibration.kit import album


def test_one_folder_a_person(tmp_path: Path) -> None:
    """Sorted by name, each picture with its person's number."""
    found = people.read(album(tmp_path / "all", ben=2, ana=1))
    assert ["ana", "ben"] == found.people
    assert [("1.png", 0), ("1.png", 1), ("2.png", 1)] == [(each.path.name, each.person) for each in found.pictures]
    assert [] == found.problems


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    """Files beside the folders, other files, folders in folders, empty folders: one line each."""
    folder = album(tmp_path / "all", ben=1, ana=1)
    (folder / "list.txt").write_text("x")
    (folder / "ana" / "notes.odt").write_text("x")
    (folder / "ana" / "more.jpg").mkdir()
    (folder / "nobody").mkdir()
    (folder / "we\nird").mkdir()
    found = people.read(folder)
    assert ["ana", "ben"] == found.people
    assert {"not_a_picture": 2, "no_pictures": 2, "stray": 1} == counts(found.problems)
    assert [
        "ana/more.jpg: is no file, or a link that leads nowhere",
        "ana/notes.odt: is no picture that is read here, by its name",
        "list.txt: lies in no person's folder",
        "nobody: holds no picture",
        "we?ird: holds no picture",
    ] == [str(problem) for problem in found.problems]


def test_nobody_to_tell_apart(tmp_path: Path) -> None:
    """No folder, a file, no person, one person: one line, and what to give instead."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "none").mkdir()
    album(tmp_path / "one", ana=3)
    for name, says in (
        ("missing", "does not exist"),
        ("file", "cannot be read"),
        ("none", "holds no person's folder with pictures, so nobody can be told apart"),
        ("one", "holds pictures of one person only, so nobody can be told apart"),
    ):
        with pytest.raises(EdgeGateError, match=f"{name}: {says}.*; give a folder that holds one folder of pictures"):
            people.read(tmp_path / name)


def test_why_nobody_is_left_is_told(tmp_path: Path) -> None:
    """A person's folder without a picture: the line counts what was left out, and every part of it is told."""
    folder = album(tmp_path / "all", ana=2)
    (folder / "ben").mkdir()
    (folder / "ben" / "ben.heic").write_bytes(b"x")
    (folder / "ana" / "3.jpg").symlink_to("gone.jpg")
    (folder / "me.jpg").write_bytes(b"x")
    says = r"all: holds pictures of one person only, .* \(2 not_a_picture, 1 no_pictures, 1 stray\); give a folder"
    with pytest.raises(Unusable, match=says) as refused:
        people.read(folder)
    assert [
        "ana/3.jpg: is no file, or a link that leads nowhere",
        "ben/ben.heic: is no picture that is read here, by its name",
        "ben: holds no picture",
        "me.jpg: lies in no person's folder",
    ] == [str(problem) for problem in refused.value.problems]


def test_pictures_beyond_the_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond 200 pictures of one person is named; more than 50,000 in all are refused."""
    folder = album(tmp_path / "all", ana=1, ben=1)
    for number in range(people.MAX_EACH):
        shutil.copy(folder / "ana" / "1.png", folder / "ana" / f"copy{number:03}.png")
    found = people.read(folder)
    assert people.MAX_EACH + 1 == len(found.pictures)
    assert ["ana/copy199.png: is beyond the 200 pictures taken of one person"] == [str(p) for p in found.problems]
    monkeypatch.setattr(people, "MAX_PICTURES", 100)
    with pytest.raises(EdgeGateError, match="201 pictures, at most 100 are taken"):
        people.read(folder)


def test_groups_by_name(tmp_path: Path) -> None:
    """Who is in which group, and every row or person that is in none."""
    table = tmp_path / "groups.csv"
    table.write_text("\ufeffGroup;Identity\nA;ana\nB;ben\nB;ben\nA;carl\nB;carl\nA;nobody\n;dan\n", "utf-8")
    found = groups.read(table, ["ana", "ben", "carl", "dan"])
    assert (["A", "B"], [0, 1, -1, -1]) == (found.names, found.member_of)
    assert [
        "groups.csv, row 8: needs both identity and group",
        "carl: rows 5 and 6 of groups.csv name different groups; none is used",
        "nobody: is in groups.csv, and has no pictures",
        "dan: has no row in groups.csv",
    ] == [str(problem) for problem in found.problems]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the column identity is not there"),
        (b"identity,group,group\na,b,c\n", "the column group is twice there"),
        (b"identity,group\n", "names none of these people"),
        (b"identity,group\n" + b"".join(b"p%d,g%d\n" % (n, n) for n in range(101)), "names 101 groups, at most 100"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        (b'identity,group\n"' + b"x" * 200_000 + b'",a\n', "is no table"),
    ],
)
def test_tables_of_no_use(tmp_path: Path, content: bytes, says: str) -> None:
    """Empty, double, foreign, endless: one line that names the columns."""
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(EdgeGateError, match=f"{says}.*; give a CSV file with the columns identity,group"):
        groups.read(tmp_path / "groups.csv", [f"p{number}" for number in range(200)])
