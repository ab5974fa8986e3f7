"""`enroll` as the office uses it: whom it enrols, refuses, lists and withdraws, and what it leaves behind."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate import enrolment
from edgegate.adapters import load_faces, open_book
from edgegate.badges import card
from edgegate.badges.draw import draw
from edgegate.faces.fake_engine import draw_face
from edgegate.images import read_image
from edgegate.model import Credential
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import Site, blank

CONSENT = ("--consent-by", "both", "--consent-version", "2026-1")


def day(days: int) -> str:
    return (date.today() + timedelta(days)).isoformat()


def years_from(start: date) -> str:
    try:
        return start.replace(year=start.year + 1).isoformat()
    except ValueError:
        return start.replace(year=start.year + 1, day=28).isoformat()


def entries(site: Site, cli: Cli) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(good(cli("enroll", "list", "--json", cwd=site.folder)))
    return listed


def test_a_volunteer_is_enrolled(site: Site, cli: Cli, photos: Path) -> None:
    """Three photographs that agree: a badge of the owner's alone, a row, and what the office notes as JSON."""
    site.configure(faces={"pack": "dlib"})
    three = [photos / f"anna{number}.png" for number in (1, 2, 3)]
    add = ("enroll", "add", "--volunteer", "--photo", *three, *CONSENT, "--expires", day(100), "--badge-out", "b.png")
    told = json.loads(good(cli(*add, "--json", cwd=site.folder)))
    assert {"handle", "card_number", "expires", "badge", "template"} == set(told)
    assert (day(100), "b.png", "badge-keyed") == (told["expires"], told["badge"], told["template"])
    assert told["card_number"] == card.read_number(told["card_number"])
    (entry,) = entries(site, cli)
    consent = {"by": "both", "version": "2026-1", "language": "en", "given": day(0), "expires": day(100)}
    assert (told["handle"], "volunteer", day(100)) == (entry["handle"], entry["status"], entry["expires"])
    assert consent == entry["consent"]
    assert str(entry["pack"]).startswith("dlib/")
    assert 0o600 == (site.folder / "b.png").stat().st_mode & 0o777
    assert isinstance(open_book(site.config).verify(enrolment.read_badge(site.folder / "b.png")), Credential)


def test_no_photograph_is_kept(site: Site, cli: Cli, photos: Path) -> None:
    """After enrolment no file of the gate holds the photograph, its pixels, its name or the template in the clear."""
    config = site.configure(faces={"pack": "dlib"})
    add = ("enroll", "add", "--volunteer", "--photo", photos / "anna1.png", *CONSENT, "--expires", day(9))
    good(cli(*add, "--badge-out", "b.png", cwd=site.folder))
    image = read_image(photos / "anna1.png")
    vector = enrolment.template_from([("anna1", image)], load_faces(config)).vector
    secret = [(photos / "anna1.png").read_bytes()[9000:9032], image[300, 400:420].tobytes(), b"anna1"]
    secret += [vector[:4].tobytes(), vector[:4].astype(np.float64).tobytes(), vector[:4].astype(np.float16).tobytes()]
    stored = b"\0".join(path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
    assert b"volunteer" in stored
    assert [] == [piece for piece in secret if piece in stored]


def test_photographs_must_agree(site: Site, cli: Cli, photos: Path) -> None:
    """The odd one among three is named; of two that disagree both are; neither leaves anything behind."""
    site.configure(faces={"pack": "dlib"})
    before = but_journal(site.folder)
    add = ("enroll", "add", "--volunteer", *CONSENT, "--expires", day(9), "--badge-out", "b.png", "--photo")
    anna, ben, other = photos / "anna1.png", photos / "ben1.png", photos / "anna2.png"
    odd = refusal(cli(*add, anna, ben, other, cwd=site.folder))
    assert f"edgegate: {ben}: does not show the same face as the others; leave it out, or take it again" == odd
    assert f"edgegate: {anna}, {ben}: these photographs do not agree" in refusal(cli(*add, anna, ben))
    assert before == but_journal(site.folder)


def test_unfit_photographs_are_refused_with_the_reason(site: Site, cli: Cli, photos: Path) -> None:
    """No face, two faces, a blurred one, none at all: each with its name and what to do, and nothing is left."""
    site.configure(faces={"pack": "dlib"})
    before = but_journal(site.folder)
    add = ("enroll", "add", "--volunteer", *CONSENT, "--expires", day(9), "--badge-out", "b.png")
    for name, says in (
        ("hall", "no face is found; take it from the front"),
        ("both", "shows several faces; take one with this person alone"),
        ("blurred", "the face is blurred; hold still"),
        ("none", "does not exist"),
    ):
        path = photos / f"{name}.png"
        assert f"edgegate: {path}: {says}" in refusal(cli(*add, "--photo", path, cwd=site.folder))
    for options in ((), ("--photo",), ("--photo", photos / "anna1.png", "--camera")):
        refusal(cli(*add, *options))
    for missing in ("--consent-by", "--consent-version", "--expires"):
        line = list(add)
        at = line.index(missing)
        assert missing in refusal(cli(*line[:at], *line[at + 2 :], "--photo", photos / "anna1.png"))
    assert before == but_journal(site.folder)


def test_a_small_face_is_refused(site: Site, cli: Cli, tmp_path: Path) -> None:
    """79 pixels are too few, 80 will do."""
    for width in (79, 80):
        picture = blank()
        draw_face(picture, "ana", 100, 100, width)
        cv2.imwrite(str(tmp_path / f"{width}.png"), picture)
    add = ("enroll", "add", "--volunteer", *CONSENT, "--expires", day(9), "--badge-out", "b.png", "--photo")
    says = "the face is 79 pixels wide, 80 are needed; come closer"
    assert says in refusal(cli(*add, tmp_path / "79.png", cwd=site.folder))
    good(cli(*add, tmp_path / "80.png"))


def test_the_gates_camera_takes_the_photographs(site: Site, cli: Cli, photos: Path) -> None:
    """`--camera` passes over pictures that will not do, and says why when none does."""
    for name, shots in (("some", ["hall", "anna1", "blurred", "anna2", "both", "anna3"]), ("none", ["hall", "hall"])):
        (site.folder / name).mkdir()
        for number, shot in enumerate(shots):
            shutil.copy(photos / f"{shot}.png", site.folder / name / f"{number}.png")
    add = ("enroll", "add", "--volunteer", "--camera", *CONSENT, "--expires", day(9), "--badge-out", "b.png")
    site.configure(faces={"pack": "dlib"}, camera={"source": "frames:none"})
    assert "edgegate: picture 2: no face is found" in refusal(cli(*add, cwd=site.folder))
    site.configure(faces={"pack": "dlib"}, camera={"source": "frames:some"})
    good(cli(*add))
    assert ["volunteer"] == [entry["status"] for entry in entries(site, cli)]


def test_a_diary_badge_needs_nothing(site: Site, cli: Cli) -> None:
    """No photograph, no consent, and a year unless told otherwise; printed for people, too."""
    today = date.today()
    told = json.loads(good(cli("enroll", "add", "--diary", "--badge-out", "b.svg", "--json", cwd=site.folder)))
    assert told["expires"] in (years_from(today), years_from(date.today()))
    assert (site.folder / "b.svg").read_text().startswith("<?xml")
    out = good(cli("enroll", "add", "--diary", "--badge-out", "c.png", "--expires", day(5)))
    assert re.fullmatch(rf"card number \w{{8}}, until {day(5)}, handle [0-9a-f]{{12}}\nc\.png is the badge.*\n", out)
    first, second = entries(site, cli)
    assert ("diary", None, None, day(5)) == (first["status"], first["pack"], first["consent"], first["expires"])
    assert told["handle"] == second["handle"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (day(-1), "is past; give a day to come"),
        ("0001-01-01", "is past"),
        (day(368), "is more than 12 months away; give "),
        ("9999-12-31", "is more than 12 months away"),
        ("31.12.2026", "is not a date; write it as 2027-06-30"),
        ("2026-02-30", "is not a date"),
        ("tomorrow", "is not a date"),
        ("", "is not a date"),
    ],
)
def test_the_last_day_must_be_one_within_a_year(site: Site, cli: Cli, text: str, says: str) -> None:
    """Past, too far, or no day at all: refused before anything is made."""
    before = but_journal(site.folder)
    line = refusal(cli("enroll", "add", "--diary", "--badge-out", "b.png", "--expires", text, cwd=site.folder))
    assert line.startswith("edgegate: --expires: ")
    assert says in line
    assert before == but_journal(site.folder)


def test_today_and_a_year_from_now_are_good_last_days(site: Site, cli: Cli) -> None:
    """The two ends of what is allowed."""
    for number, text in enumerate((day(1), years_from(date.today()))):
        good(cli("enroll", "add", "--diary", "--badge-out", f"{number}.png", "--expires", text, cwd=site.folder))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--badge-out", "site.key"], "site.key: exists already"),
        (["--badge-out", "badge.gif"], ".png or .svg"),
        (["--badge-out", "badge"], ".png or .svg"),
        (["--badge-out", "none/badge.png"], "none/badge.png: cannot be written (No such file or directory)"),
        (["--badge-out", "site.key/badge.png"], "site.key/badge.png: cannot be written (Not a directory)"),
        (["--badge-out", "b.png", "--size-mm", "5"], "cannot be read"),
        (["--badge-out", "b.png", "--size-mm", "nan"], "cannot be read"),
        (["--badge-out", "b.png", "--size-mm", "100000"], "500 at most"),
    ],
)
def test_a_badge_that_cannot_be_written_leaves_nothing(site: Site, cli: Cli, options: list[str], says: str) -> None:
    """Neither a row without its badge nor a badge without its row, nor half a file."""
    site.enrol(None)
    before = but_journal(site.folder)
    assert says in refusal(cli("enroll", "add", "--diary", *options, cwd=site.folder))
    assert before == but_journal(site.folder)
    assert 1 == len(entries(site, cli))


def test_the_list_is_for_people_too(site: Site, cli: Cli) -> None:
    """One line a badge, without numbers or names; an empty vault says so; no vault yet is one line."""
    assert "vault.db: does not exist yet; it is made by" in refusal(cli("enroll", "list", cwd=site.folder))
    enrolled = site.enrol("ana"), site.enrol(None), site.enrol("ben")
    site.revoke(enrolled[2])
    out = good(cli("enroll", "list"))
    lines = out.splitlines()
    assert (5, "3 badges") == (len(lines), lines[-1])
    assert {("volunteer", True), ("diary", False), ("revoked", False)} == {
        (line.split()[1], "both, 1, until" in line) for line in lines[1:-1]
    }
    assert {badge.handle.hex()[:12] for badge in enrolled} == {line.split()[0] for line in lines[1:-1]}
    assert not any(badge.card_number in out for badge in enrolled)


@pytest.mark.parametrize("action", ["revoke", "erase"])
@pytest.mark.parametrize("way", ["card", "sloppy card", "handle", "prefix", "HANDLE", "text", "image"])
def test_a_badge_is_withdrawn_in_every_way(site: Site, cli: Cli, action: str, way: str) -> None:
    """By card number, handle, QR text or picture: this badge is refused from now on, the other stays."""
    other, lost = site.enrol("ana"), site.enrol("ben", badge="lost.png")
    who = {
        "card": lost.card_number,
        "sloppy card": f" {lost.card_number[:4].lower()}-{lost.card_number[4:].lower()} ",
        "handle": lost.handle.hex(),
        "prefix": lost.handle.hex()[:12],
        "HANDLE": lost.handle.hex().upper(),
        "text": lost.text,
        "image": "lost.png",
    }[way]
    out = good(cli("enroll", action, who, cwd=site.folder))
    assert out.startswith(f"badge {lost.handle.hex()[:12]} {'revoked' if action == 'revoke' else 'erased'}")
    found = {
        entry["handle"]: (entry["status"], entry["pack"] is None, entry["consent"]) for entry in entries(site, cli)
    }
    assert ("revoked", True, None) == found[lost.handle.hex()]
    assert "volunteer" == found[other.handle.hex()][0]


def test_erased_means_that_the_card_number_is_gone_too(site: Site, cli: Cli) -> None:
    """After `erase` the number finds nothing; after `revoke` it still does."""
    erased, revoked = site.enrol("ana"), site.enrol("ben")
    good(cli("enroll", "erase", erased.card_number, cwd=site.folder))
    good(cli("enroll", "revoke", revoked.card_number))
    assert "is not known to this vault" in refusal(cli("enroll", "revoke", erased.card_number))
    good(cli("enroll", "erase", revoked.card_number))


def test_somebody_unknown_is_one_line(site: Site, cli: Cli, tmp_path: Path) -> None:
    """A mistyped number, a short handle, a foreign badge, pictures of none or of two: nothing changes."""
    first, second = site.enrol("ana", badge="1.png"), site.enrol("ben", badge="2.png")
    pair = np.hstack([read_image(site.folder / name) for name in ("1.png", "2.png")])
    cv2.imwrite(str(site.folder / "pair.png"), pair)
    cv2.imwrite(str(site.folder / "none.png"), blank())
    (site.folder / "forged.png").write_bytes(draw(first.text[:-9] + "000000000", ".png"))
    mistyped = first.card_number[:-1] + ("0" if first.card_number[-1] != "0" else "1")
    before = but_journal(site.folder)
    for who, says in (
        (mistyped, "is not known to this vault"),
        (first.handle.hex()[:11], "is not known to this vault"),
        ("0" * 64, "is not known to this vault"),
        ("", "is not known to this vault"),
        ("%", "is not known to this vault"),
        ("Zoë", "is not known to this vault"),
        ("pair.png", "shows several badges"),
        ("none.png", "shows no badge"),
        ("missing.png", "does not exist"),
        ("forged.png", "this badge is not one of ours ("),
        (second.text[:-9] + "000000000", "this badge is not one of ours ("),
        ("EG1:", "this badge is not one of ours (malformed)"),
        ("EG1:" + "A" * 3000, "this badge is not one of ours (too long)"),
    ):
        for action in ("revoke", "erase"):
            assert says in refusal(cli("enroll", action, who, cwd=site.folder))
    assert before == but_journal(site.folder)
