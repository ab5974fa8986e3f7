"""Lists of pairs, good and bad, and what is compared for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgegate.calibration import pairs
from edgegate.calibration.listed import Rows, pairs_of, presentations_of
from edgegate.calibration.measure import measure
from edgegate.calibration.pairs import PairList
from edgegate.calibration.people import Album, Picture
from edgegate.calibration.problems import Unusable
from edgegate.errors import EdgeGateError
from tests.calibration.kit import album, embeddings, near, passes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three people: ana with three pictures, ben with two, dan with one."""
    return album(tmp_path / "all", ana=3, ben=2, dan=1)


def listed(folder: Path, text: str) -> PairList:
    path = folder.parent / "pairs.csv"
    path.write_text(text, "utf-8")
    return pairs.read(path, folder)


def rows(found: PairList) -> list[tuple[str, str, bool]]:
    """Each row's files, as they lie below the folder, and its label."""
    names = [f"{each.path.parent.name}/{each.path.name}" for each in found.album.pictures]
    return [
        (names[one], names[two], same)
        for one, two, same in zip(found.first.tolist(), found.second.tolist(), found.same.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "file_x,file_y,same\nana/1.png,ana/2.png,1\nana/1.png,ben/1.png,0\n",
        "file_x,file_y,Decision\nana/1.png,ana/2.png,Yes\nana/1.png,ben/1.png,No\n",
        "Decision;file_y;file_x\r\nYES;./ana/2.png;ana/1.png\r\n\r\nno;ben/1.png;ana/../ana/1.png\r\n",
    ],
)
def test_tables_of_pairs(folder: Path, text: str) -> None:
    """Columns by name, in any order, with either separator; names as the folder has them."""
    found = listed(folder, text)
    assert [("ana/1.png", "ana/2.png", True), ("ana/1.png", "ben/1.png", False)] == rows(found)
    assert (["ana", "ben"], True, [0, 0]) == (found.album.people, found.named, found.fold.tolist())


def test_rows_of_no_use_are_named(folder: Path) -> None:
    """Missing pictures, repeated, contradictory, empty and unclear rows: one line each, with the row's number."""
    found = listed(
        folder,
        "file_x,file_y,same\n"
        "ana/1.png,ana/2.png,yes\n"
        "ana/2.png,ana/1.png,yes\n"
        "ana/1.png,none.png,yes\n"
        "ana/1.png,ana/1.png,yes\n"
        "ben/1.png,dan/1.png,no\n"
        "dan/1.png,ben/1.png,yes\n"
        "ben/1.png,dan/1.png,no\n"
        "ana/1.png,ben/1.png,perhaps\n"
        "ana/1.png,,no\n"
        "ana/1.png\n"
        "ana/1.png,ben/2.png,no,left,over\n",
    )
    assert [("ana/1.png", "ana/2.png", True), ("ana/1.png", "ben/2.png", False)] == rows(found)
    assert [
        "row 3: repeats row 2",
        "row 4: there is no picture none.png",
        "row 5: compares a picture with itself",
        "row 7: contradicts row 6; neither is used",
        "row 8: repeats row 6",
        "row 9: says 'perhaps', which is neither yes nor no",
        "row 10: needs two files",
        "row 11: needs two files",
    ] == [str(problem) for problem in found.album.problems]


def test_people_without_folders(folder: Path, tmp_path: Path) -> None:
    """Where all pictures lie together, those that rows join are one person; a row that parts them again is not used,
    and nobody has a name."""
    together = tmp_path / "together"
    together.mkdir()
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        path.rename(together / f"{number}.png")
    found = listed(
        together,
        "file_x,file_y,same\n0.png,1.png,yes\n1.png,2.png,yes\n3.png,4.png,yes\n0.png,3.png,no\n2.png,0.png,no\n",
    )
    assert [0, 0, 0, 1, 1] == [each.person for each in found.album.pictures]
    assert ["row 6: says no, and other rows make the two one person; it is not used"] == [
        str(problem) for problem in found.album.problems
    ]
    with pytest.raises(EdgeGateError, match="--groups: the list of pairs names files, not people"):
        pairs.names_of(found)


def lfw(folder: Path, folds: int, size: int) -> tuple[Path, str]:
    """A folder in LFW's manner and its pairs.txt: in each fold, `size` matched pairs and as many mismatched."""
    people = [f"Person_{number}" for number in range(2 * folds * size)]
    for name in people:
        (folder / name).mkdir(parents=True)
        for number in (1, 2):
            (folder / name / f"{name}_{number:04}.jpg").write_bytes(b"")
    lines = [f"{folds}\t{size}"]
    for fold in range(folds):
        mine = people[2 * fold * size : 2 * (fold + 1) * size]
        lines += [f"{name}\t1\t2" for name in mine[:size]]
        lines += [f"{one}\t1\t{two}\t2" for one, two in zip(mine[:size], mine[size:], strict=True)]
    return folder, "\n".join(lines) + "\n"


def test_lfw_as_it_is(tmp_path: Path) -> None:
    """Folds, files and labels of View 2; View 1 has one number in its first line and no folds."""
    folder, text = lfw(tmp_path / "lfw", 3, 2)
    found = listed(folder, text)
    assert ([0] * 4 + [1] * 4 + [2] * 4, [True, True, False, False] * 3) == (found.fold.tolist(), found.same.tolist())
    assert ("Person_0/Person_0_0001.jpg", "Person_0/Person_0_0002.jpg", True) == rows(found)[0]
    assert ("Person_0/Person_0_0001.jpg", "Person_2/Person_2_0002.jpg", False) == rows(found)[2]
    assert found.named
    assert [0] * 12 == listed(folder, text.replace("3\t2", "6", 1)).fold.tolist()
    broken = listed(folder, text.replace("Person_1\t1\t2", "Person_1\t1") + "Person_0\t1\tx\nPerson_0 1 9\n")
    assert [
        "row 3: is no pair as LFW writes them",
        "row 14: is no pair as LFW writes them",
        "row 15: there is no picture Person_0/Person_0_0009.jpg",
    ] == [str(problem) for problem in broken.album.problems]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the column file_x is not there"),
        ("file_x,file_y\nana/1.png,ana/2.png\n", "the column same or decision is not there"),
        ("file_x,file_y,same\n", "has no row that can be used"),
        ("file_x,file_y,same\nana/1.png,,yes\n", "has no row that can be used .1 malformed."),
        ("file_x,file_y,same\n\0\n", "is no text in UTF-8"),
    ],
)
def test_lists_of_no_use(folder: Path, text: str, says: str) -> None:
    """Empty, without labels, without pictures, binary: one line that says what a list is."""
    with pytest.raises(EdgeGateError, match=f"pairs.csv: {says}; give a CSV file with the columns file_x,file_y,same"):
        listed(folder, text)


def test_a_list_of_other_pictures(folder: Path) -> None:
    """The folder is not the list's: it is asked for, and each row is told."""
    with pytest.raises(Unusable, match=r"can be used \(2 missing\); are these files below .*/all\?$") as refused:
        listed(folder, "file_x,file_y,same\nAna/1.png,Ana/2.png,yes\nana/1.png,Ben/1.png,no\n")
    assert ["row 2: there is no picture Ana/1.png", "row 3: there is no picture Ben/1.png"] == [
        str(problem) for problem in refused.value.problems
    ]


def test_too_many_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is bounded."""
    monkeypatch.setattr("edgegate.calibration.table.MAX_ROWS", 2)
    with pytest.raises(EdgeGateError, match="has more than 2 rows"):
        listed(folder, "file_x,file_y,same\n" + "ana/1.png,ana/2.png,yes\n" * 3)


def numbered(first: list[int], second: list[int], person: list[int]) -> PairList:
    """Rows over pictures that are there in number only."""
    album = Album([Picture(Path(str(number)), who) for number, who in enumerate(person)], [str(p) for p in person], ())
    one, two = np.array(first, np.int32), np.array(second, np.int32)
    same = np.array(person)[one] == np.array(person)[two]
    return PairList(album, one, two, same, np.zeros(len(one), np.int32), named=True)


@pytest.mark.parametrize("metric", ["cosine", "distance"])
def test_rows_are_compared_as_the_gate_would(metric: str) -> None:
    """Pairs by their score, presentations by the gate's own comparison: the row's second picture is the first look, and
    the photograph of the row is never looked at."""
    data = embeddings([4, 3, 2, 1], metric=metric, roles=False)
    listing = numbered([0, 0, 4, 7, 9, 0], [1, 4, 0, 8, 0, 9], data.person.tolist())
    chosen = Rows.of(listing, data)
    scores, _ = pairs_of(chosen, data)
    first, several = presentations_of(chosen, data, 3)
    own, others = several.genuine()[0], np.concatenate([block.scores for block in several.impostors()])
    assert (1, 3) == (len(own), len(others))  # 7-8 leaves one look, 0-9 has one picture only
    dice = np.random.default_rng(0)
    order = [dice.permutation(np.flatnonzero(data.person == each)).tolist() for each in range(4)]
    for (template, probe), value in (((0, 1), own[0]), ((0, 4), others[0]), ((4, 0), others[1]), ((9, 0), others[2])):
        pictures = order[data.person[probe]]
        start = pictures.index(probe)
        looks = [each for each in pictures[start:] + pictures[:start] if each != template][:3]
        assert looks[0] == probe
        assert passes(data, template, looks, float(value) - 1e-3)
        assert not passes(data, template, looks, float(value) + 1e-3)
    assert near(first.genuine()[0], scores.genuine()[0][:1])
    assert 2 == scores.people_pairs() == several.people_pairs()


def test_rows_turn_where_only_that_can_be_done() -> None:
    """The second picture is enrolled where the first cannot be; rows with neither are counted as not compared."""
    data = embeddings([2, 2])
    data.enrolled[:] = [False, True, True, False]
    data.seen[:] = [True, True, True, False]
    listing = numbered([0, 0, 3, 0], [1, 2, 0, 3], data.person.tolist())
    chosen = Rows.of(listing, data)
    assert ([1, 2], [0, 0]) == (chosen.template.tolist(), chosen.probe.tolist())
    assert 2 == measure(data, pairs=listing, operating=1e-2, looks=2).uncompared
