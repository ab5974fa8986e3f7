"""`edgegate calibrate`, from pictures to a threshold that is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate import device_key
from edgegate.calibration import record
from edgegate.faces.pack import load
from tests.calibration.kit import album, square
from tests.calibration.test_pictures import BAD
from tests.commands import Cli, left, refusal
from tests.conftest import Site

SIX = {"ana": 3, "ben": 2, "chloe": 2, "dan": 2, "eve": 1, "farid": 1}


@pytest.fixture
def folder(site: Site) -> Path:
    """Pictures of the fake engine's six people, beside a gate that uses it."""
    return album(site.folder / "people", **SIX)


def test_figures_of_a_folder(site: Site, folder: Path, cli: Cli) -> None:
    """Six people who are never mistaken: all counted, none confused, too few for a threshold; nothing is written."""
    before = left(site.folder)
    code, out, err = cli("calibrate", folder, "--jobs", "1", "--json", cwd=site.folder)
    told = json.loads(out)
    assert (0, "") == (code, err)
    assert (6, 11, 11, {}) == (told["people"], told["pictures"], told["pictures_enrolled"], told["refused"])
    pair = told["per_pair"]
    assert (6, 4, 49, 15) == (pair["genuine"], pair["genuine_people"], pair["impostor"], pair["people_pairs"])
    assert 0.2 == pair["supports_fmr"]
    assert [None] * 4 == [each["threshold"] for each in pair["thresholds"]]
    presentation = told["per_presentation"]
    # Of ana alone three pictures leave two looks beside the photograph; ben, chloe and dan are looked at by others.
    assert (6, 1) == (presentation["genuine"], presentation["genuine_people"])
    assert 3 * 8 + 3 * 2 * 9 == presentation["impostor"]
    assert before == left(site.folder)


def test_bad_pictures_are_counted_and_listed(site: Site, folder: Path, cli: Cli) -> None:
    """Every kind of bad file among the good: one line each, counted in the report; the people stay."""
    for name, (make, _) in BAD.items():
        (folder / "eve" / name).write_bytes(make())
    (folder / "eve" / "list.csv").write_text("x")
    both = np.hstack([square("ben"), square("ana")])
    cv2.imwrite(str(folder / "ben" / "both.png"), both)
    code, out, err = cli("calibrate", folder, "--jobs", "1", "--json", cwd=site.folder)
    told = json.loads(out)
    lines = err.splitlines()
    assert (0, 6) == (code, told["people"])
    expected = {"no_face": 3, "unreadable": 3, "too_large": 1, "several_faces": 1, "not_a_picture": 1}
    assert expected == told["refused"]
    assert sum(expected.values()) == len(lines)
    assert "eve/pdf.jpg: is not a picture that can be read whole" in lines
    assert "ben/both.png: shows several faces" in lines
    assert (19, 11) == (told["pictures"], told["pictures_enrolled"])


def test_groups_and_text(site: Site, folder: Path, cli: Cli) -> None:
    """People by group in the text; people without one are named."""
    (site.folder / "groups.csv").write_text("identity,group\nana,A\nben,A\nchloe,B\ndan,B\neve,B\n")
    code, out, err = cli("calibrate", folder, "--jobs", "1", "--groups", "groups.csv", cwd=site.folder)
    assert (0, "farid: has no row in groups.csv\n") == (code, err)
    assert "  A                     2  0.0 % (0.0 to 84.2)    pair          no threshold" in out
    assert "no threshold for the gate at FMR 0.0001: these data support an FMR of 2.1e-01 at best" in out


def test_a_list_of_pairs(site: Site, folder: Path, cli: Cli) -> None:
    """Only what the list names is compared, and rows of no use are told."""
    (folder / "ana" / "9.png").write_bytes((folder / "ana" / "1.png").read_bytes())
    rows = ["ana/1.png,ana/2.png,Yes", "ana/1.png,ben/1.png,No", "dan/1.png,eve/1.png,No", "dan/1.png,x.png,No"]
    rows.append("ana/9.png,ana/1.png,Yes")
    (site.folder / "pairs.csv").write_text("\n".join(["file_x,file_y,Decision", *rows]))
    code, out, err = cli("calibrate", folder, "--jobs", "1", "--pairs", "pairs.csv", "--json", cwd=site.folder)
    told = json.loads(out)
    assert (0, ["row 5: there is no picture x.png"]) == (code, err.splitlines()[:1])
    assert ["ana/9.png: is the same picture as ana/1.png; the row is not used"] == err.splitlines()[1:]
    assert (1, 2, 6, 4) == (told["per_pair"]["genuine"], told["per_pair"]["impostor"], told["pictures"], told["people"])
    assert {"missing": 1, "itself": 1} == told["refused"]


def test_ten_folds(site: Site, cli: Cli) -> None:
    """A list as LFW's, over people who are never mistaken: accuracy 1; where a picture shows nobody, less at worst."""
    lines, names = ["3\t2"], ["ana", "ben", "chloe", "dan", "eve", "farid"]
    for person in names:
        (site.folder / "lfw" / person).mkdir(parents=True)
        for number in (1, 2):
            picture = square(person, shade=100 + number)
            cv2.imwrite(str(site.folder / "lfw" / person / f"{person}_{number:04}.jpg"), picture, [1, 100])
    for one, other in (("ana", "ben"), ("chloe", "dan"), ("eve", "farid")):
        lines += [f"{one}\t1\t2", f"{other}\t1\t2", f"{one}\t1\t{other}\t1", f"{one}\t2\t{other}\t1"]
    (site.folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    args = ("calibrate", "lfw", "--jobs", "1", "--pairs", "pairs.txt")
    code, out, _ = cli(*args, "--json", cwd=site.folder)
    assert (0, {"mean": 1.0, "standard_error": 0.0, "folds": 3, "pairs": 12}) == (code, json.loads(out)["accuracy"])
    cv2.imwrite(str(site.folder / "lfw/eve/eve_0002.jpg"), np.full((300, 300, 3), 90, np.uint8))
    code, out, err = cli(*args, cwd=site.folder)
    assert (0, "eve/eve_0002.jpg: no face is found\n") == (code, err)
    assert "over 3 folds, 10 pairs compared, 83.33 % if the others count as wrong" in out
    assert "2 rows of the list have no face to compare" in out


def test_too_little_is_not_kept(site: Site, folder: Path, cli: Cli) -> None:
    """With --save and too few people: the figures, exit code 1, and no file."""
    device_key.make(site.config.gate.device_key)
    before = left(site.folder)
    code, out, err = cli("calibrate", folder, "--jobs", "1", "--save", cwd=site.folder)
    assert 1 == code
    assert "per pair: 6 genuine" in out
    assert "edgegate: not saved: no threshold for the gate at FMR 0.0001: these data support an FMR of 2.1e-01" in err
    assert before == left(site.folder)


def test_what_cannot_end_well_is_refused_at_once(site: Site, folder: Path, cli: Cli) -> None:
    """No key, a taken name, nonsense, nobody: one line each, before any picture is read."""
    site.config.gate.device_key.unlink(missing_ok=True)
    (site.folder / "page.html").write_text("mine")
    (site.folder / "none").mkdir()
    for args, says in (
        (("people", "--save"), "device.key: does not exist"),
        (("people", "--html", "page.html"), "page.html: exists already"),
        (("people", "--jobs", "0"), "--jobs: 0 is out of range; give 1 to 64"),
        (("people", "--looks", "1"), "--looks: 1 is out of range; give 2 to 50"),
        (("people", "--pack", "best"), "there is no pack `best`"),
        (("people", "--pairs", "no.csv"), "no.csv: does not exist"),
        (("people", "--groups", "no.csv"), "no.csv: does not exist"),
        (("none",), "holds no person's folder with pictures"),
    ):
        assert says in refusal(cli("calibrate", *args, cwd=site.folder))


def test_why_there_is_nothing_to_compare(site: Site, folder: Path, cli: Cli) -> None:
    """One person's own folder, a list of other pictures, groups of other people: each part is told, then one line."""
    (site.folder / "pairs.csv").write_text("file_x,file_y,same\nAna/1.png,Ben/1.png,no\n")
    (site.folder / "groups.csv").write_text("identity,group\nzoe,A\n")
    for args, first, last in (
        (("people/ana",), "1.png: lies in no person's folder", "holds no person's folder with pictures"),
        (
            ("people", "--pairs", "pairs.csv"),
            "row 2: there is no picture Ana/1.png",
            f"pairs.csv: has no row that can be used (1 missing); are these files below {folder.name}?",
        ),
        (
            ("people", "--groups", "groups.csv"),
            "zoe: is in groups.csv, and has no pictures",
            "groups.csv: names none of these people (6 ungrouped, 1 unknown_identity); give a CSV file",
        ),
    ):
        code, out, err = cli("calibrate", *args, "--jobs", "1", cwd=site.folder)
        assert (2, "", first) == (code, out, err.splitlines()[0])
        assert last in err.splitlines()[-1]


def test_nobody_with_a_face(site: Site, cli: Cli) -> None:
    """Two folders of walls: one line that sends to the reasons, which are told first."""
    for name in ("ana", "ben"):
        (site.folder / "walls" / name).mkdir(parents=True)
        cv2.imwrite(str(site.folder / "walls" / name / "1.png"), np.full((300, 300, 3), 90 + len(name), np.uint8))
    cv2.imwrite(str(site.folder / "walls" / "ana" / "2.png"), square("ana"))
    code, out, err = cli("calibrate", "walls", "--jobs", "1", cwd=site.folder)
    assert (2, "") == (code, out)
    assert ["ana/1.png: no face is found", "ben/1.png: no face is found"] == err.splitlines()[:2]
    assert "of 3 pictures, those with a usable face show fewer than two people" in err.splitlines()[2]


def test_real_faces_and_weights(site: Site, shared: Path, cli: Cli) -> None:
    """44 people of LFW, 91 pictures: a threshold that the gate can use is saved, signed, and found again; a page is
    written, and nothing else."""
    device_key.make(site.config.gate.device_key)
    models, people = site.folder / "models", site.folder / "people"
    models.mkdir()
    people.mkdir()
    pack = models / "scrfd-mobileface"
    pack.mkdir()
    for path in (shared / "models" / "scrfd-mobileface").iterdir():
        os.link(path, pack / path.name) if path.stat().st_dev == models.stat().st_dev else (
            pack / path.name
        ).write_bytes(path.read_bytes())
    folders = sorted((shared / "faces" / "lfw-dev").iterdir())
    chosen = [each for each in folders if len(list(each.iterdir())) > 2 or each in folders[:30]]
    for each in chosen:
        (people / each.name).symlink_to(each)
    (site.folder / "groups.csv").write_text(
        "identity,group\n" + "".join(f"{each.name},{each.name[0] < 'D'}\n" for each in chosen)
    )
    site.configure(faces={"pack": "scrfd-mobileface", "target_fmr": 1e-2})
    before = left(site.folder)
    code, out, err = cli(
        *("calibrate", "people", "--groups", "groups.csv", "--jobs", "2", "--html", "page.html", "--save"),
        *("--describe", "a corner of LFW"),
        cwd=site.folder,
    )

    assert 0 == code, err
    assert {"models/scrfd-mobileface/calibration.yaml", "page.html"} == left(site.folder).keys() - before.keys()
    assert "pictures of 44 people" in out
    assert "farthest off, FNMR per pair: " in out
    kept = record.find(load(pack), models, device_key.load_public(site.config.gate.device_key))
    assert kept is not None
    assert kept.measured_on.startswith("a corner of LFW: 91 pictures of 44 people")
    assert f"threshold for the gate at FMR 0.01: {kept.thresholds[1e-2]:.4f}" in out
    assert 0.2 < kept.thresholds_per_pair[1e-2] <= kept.thresholds[1e-2] < 0.4
    rates = {each.target_fmr: each for each in kept.per_presentation.thresholds}[1e-2]
    assert rates.fmr.errors <= 1e-2 * rates.fmr.trials
    assert rates.fnmr.errors < 0.05 * rates.fnmr.trials
