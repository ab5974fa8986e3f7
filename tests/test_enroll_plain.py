"""`enroll add --plain`: cards that are there already, by their number, and what that number must not leave behind."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import cv2
import pytest

from edgegate import enrolment
from edgegate.adapters import load_faces, open_book, open_vault
from edgegate.errors import EdgeGateError
from edgegate.faces.fake_engine import draw_face
from edgegate.images import read_image
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import Site, blank

NUMBER = "04a1b2c3-77"
SPELLINGS = (NUMBER, "04A1B2C3-77", " 04 a1 b2 c3-77 ")
DIARY = ("enroll", "add", "--diary", "--plain")
NEXT_WEEK = (date.today() + timedelta(7)).isoformat()


@pytest.fixture
def plain(site: Site) -> Site:
    """A site that allows numbers typed by a reader."""
    site.configure(badges={"readers": [{"kind": "stdin"}], "allow_plain": True, "formats": ["typed"]})
    return site


@pytest.fixture
def volunteer(tmp_path: Path) -> tuple[str | Path, ...]:
    """The options that enrol a person of the fake engine."""
    picture = blank()
    draw_face(picture, "ana", 100, 100, 200)
    cv2.imwrite(str(tmp_path / "portrait.png"), picture)
    consent = ("--consent-by", "both", "--consent-version", "1", "--expires", NEXT_WEEK)
    return ("enroll", "add", "--volunteer", "--photo", tmp_path / "portrait.png", *consent, "--plain")


def entries(site: Site, cli: Cli) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(good(cli("enroll", "list", "--json", cwd=site.folder)))
    return listed


def stored(site: Site, out: str = "") -> bytes:
    """All that is kept in any file but the photograph, and what was said."""
    found = [path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path.suffix != ".png"]
    return b"\0".join([*found, out.encode()]).upper()


def test_a_card_is_enrolled_by_its_number(plain: Site, cli: Cli, volunteer: tuple[str | Path, ...]) -> None:
    """No issuer's key, no picture, no card number; a row that opens with the number and says that it is plain."""
    for part in ("issuer.key", "issuer.pub"):
        (plain.folder / part).rename(plain.folder / f"{part}.away")
    told = json.loads(good(cli(*volunteer, NUMBER, "--json", cwd=plain.folder)))
    (plain.folder / "issuer.pub.away").rename(plain.folder / "issuer.pub")
    (entry,) = entries(plain, cli)
    noted = {"handle": entry["handle"], "card_number": None, "expires": NEXT_WEEK, "badge": None, "template": "plain"}
    assert noted == told
    assert ("volunteer", True, NEXT_WEEK) == (entry["status"], entry["plain"], entry["expires"])
    faces, vault = load_faces(plain.config), open_vault(plain.config)
    shown = open_book(plain.config).plain(SPELLINGS[2], typed=True)
    assert shown is not None
    template = vault.unseal(shown, faces.pack.id).take()
    vault.close()
    again = enrolment.template_from([("portrait", read_image(plain.folder / "portrait.png"))], faces)
    assert again.vector.tolist() == template.vector.tolist()
    assert NUMBER.upper().encode() not in stored(plain)


def test_the_office_is_told_that_it_is_weaker(plain: Site, cli: Cli) -> None:
    """In one line, each time; the list tells the two kinds apart; the number is never repeated."""
    out = good(cli(*DIARY, NUMBER, "--expires", NEXT_WEEK, cwd=plain.folder))
    first, second = out.splitlines()
    assert first.startswith(f"plain badge, until {NEXT_WEEK}, handle ")
    assert "weaker than a signed one" in second
    plain.enrol(None)
    out += good(cli("enroll", "list"))
    kinds = {tuple(line.split()[1:3]) for line in out.splitlines() if "diary" in line}
    assert {("diary", "plain"), ("diary", "signed")} == kinds
    assert [True, False] == sorted((bool(entry["plain"]) for entry in entries(plain, cli)), reverse=True)
    assert NUMBER.upper().encode() not in stored(plain, out)


def test_plain_badges_must_be_allowed(site: Site, cli: Cli) -> None:
    """Off unless the configuration says so; the line says what to do."""
    before = but_journal(site.folder)
    line = refusal(cli(*DIARY, NUMBER, cwd=site.folder))
    assert "edgegate: badges.allow_plain: plain badges are not allowed here; make a signed one with --badge-out" in line
    assert NUMBER not in line
    assert before == but_journal(site.folder)


@pytest.mark.parametrize("number", ["", "123", "x" * 65, "12\t34", "groß1", "EG1:ABCDEFGH", "eg1: abcd"])
def test_what_is_no_number_is_refused(plain: Site, cli: Cli, number: str) -> None:
    """Without repeating it, since a typing error of a number is still most of the number."""
    before = but_journal(plain.folder)
    line = refusal(cli(*DIARY, number, cwd=plain.folder))
    assert "this is not the number of a plain badge; give it as the reader does" in line
    assert not number or number not in line
    assert before == but_journal(plain.folder)


@pytest.mark.parametrize("options", [(), ("--plain", NUMBER, "--badge-out", "b.png"), ("--plain",)])
def test_a_badge_is_made_or_there_already(plain: Site, cli: Cli, options: tuple[str, ...]) -> None:
    """One of the two must be said, and not both."""
    before = but_journal(plain.folder)
    refusal(cli("enroll", "add", "--diary", *options, cwd=plain.folder))
    assert before == but_journal(plain.folder)


def test_a_number_is_enrolled_once(plain: Site, cli: Cli, volunteer: tuple[str | Path, ...]) -> None:
    """Again, or after it was revoked: refused with what to do, and nothing has changed."""
    good(cli(*DIARY, NUMBER, cwd=plain.folder))
    for spelling in SPELLINGS:
        assert "this number is enrolled already" in refusal(cli(*volunteer, spelling))
    good(cli("enroll", "revoke", NUMBER))
    before = entries(plain, cli)
    line = refusal(cli(*DIARY, NUMBER))
    assert "this number was revoked, and is refused until it expires; give another card" in line
    assert "revoked" == before[0]["status"]
    assert before == entries(plain, cli)


def test_last_years_card_is_enrolled_again(plain: Site) -> None:
    """From the second it expires, whether or not the daemon has cleared it away; not one second before."""
    vault = open_vault(plain.config, create=True)
    try:
        badge = enrolment.plain_badge(NUMBER)
        first = enrolment.register(vault, badge, template=None, consent=None, expires=2000, now=1000)
        with pytest.raises(EdgeGateError):
            enrolment.register(vault, badge, template=None, consent=None, expires=3000, now=1999)
        assert first == enrolment.register(vault, badge, template=None, consent=None, expires=3000, now=2000)
        assert [3000] == [entry.badge_expires for entry in vault.entries()]
    finally:
        vault.close()


@pytest.mark.parametrize("action", ["revoke", "erase"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_plain_badge_is_withdrawn_by_its_number(plain: Site, cli: Cli, action: str, spelling: str) -> None:
    """However it is written, and also when plain badges are no longer allowed; the others stay."""
    handle = json.loads(good(cli(*DIARY, NUMBER, "--json", cwd=plain.folder)))["handle"]
    good(cli(*DIARY, NUMBER + "1"))
    signed = plain.enrol("ana")
    plain.configure()
    out = good(cli("enroll", action, spelling))
    assert out.startswith(f"badge {handle[:12]} {'revoked' if action == 'revoke' else 'erased'}")
    status = {entry["handle"]: entry["status"] for entry in entries(plain, cli)}
    assert {"revoked", "diary", "volunteer"} == set(status.values())
    assert ("revoked", "volunteer") == (status[handle], status[signed.handle.hex()])
    good(cli("enroll", "erase", handle[:12]))


def test_a_number_may_look_like_something_else(plain: Site, cli: Cli) -> None:
    """Like the beginning of a handle, or like a card number: the badge with this number is meant."""
    signed = plain.enrol("ana")
    numbers = (signed.handle.hex()[:14], signed.card_number, "0" * 64)
    handles = [json.loads(good(cli(*DIARY, number, "--json", cwd=plain.folder)))["handle"] for number in numbers]
    for number in numbers:
        good(cli("enroll", "revoke", number))
    status = {str(entry["handle"]): entry["status"] for entry in entries(plain, cli)}
    assert ["revoked"] * 3 == [status[handle] for handle in handles]
    assert "volunteer" == status[signed.handle.hex()]


def test_an_unknown_number_is_one_line_that_does_not_repeat_it(plain: Site, cli: Cli) -> None:
    """It may be somebody's badge at another gate."""
    plain.enrol(None)
    before = but_journal(plain.folder)
    for action in ("revoke", "erase"):
        line = refusal(cli("enroll", action, NUMBER, cwd=plain.folder))
        assert "is not known to this vault" in line
        assert NUMBER not in line
    assert before == but_journal(plain.folder)


def test_a_number_comes_from_standard_input(plain: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads one line, as the very scanner of the gate types it: then it is in no shell's history."""

    def typed(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))

    typed(f"{NUMBER}\r\nmore\n".encode())
    handle = json.loads(good(cli(*DIARY, "-", "--json", cwd=plain.folder)))["handle"]
    typed(NUMBER.encode())
    assert handle[:12] in good(cli("enroll", "revoke", "-"))
    before = but_journal(plain.folder)
    for nothing in (b"", b"\n", b"  \nmore", b"\xff\xfe\n"):
        typed(nothing)
        assert "edgegate: -: no number was given; scan the card" in refusal(cli(*DIARY, "-"))
    typed(b"7" * 100_000 + b"\n")
    assert "is not the number of a plain badge" in refusal(cli(*DIARY, "-"))
    monkeypatch.setattr(sys, "stdin", None)
    assert "no number was given" in refusal(cli(*DIARY, "-"))
    assert before == but_journal(plain.folder)


@pytest.mark.parametrize(("answer", "code"), [(NUMBER.encode() + b"\n", 0), (b"\x04", 2)])
def test_a_number_typed_at_a_terminal_is_not_shown(plain: Site, answer: bytes, code: int) -> None:
    """Asked for like a passphrase; Ctrl-D is one line."""
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "edgegate", *DIARY, "-"]
    with subprocess.Popen(
        command, cwd=plain.folder, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    ) as process:
        os.close(inner)
        screen, asked = b"", False
        try:
            while data := os.read(terminal, 4096):
                screen += data
                if not asked and screen.endswith(b": "):
                    asked = True
                    os.write(terminal, answer)
        except OSError:
            pass  # the terminal went with the process
        finally:
            os.close(terminal)
        assert code == process.wait(timeout=30), screen
    assert b"Scan the card or type its number (not shown)" in screen
    assert NUMBER.encode() not in screen
    assert (b"no number was given" in screen) is bool(code)


def test_the_template_does_not_outlive_a_refusal(plain: Site) -> None:
    """In memory neither: what was computed from the photographs is overwritten, kept or not."""
    faces = load_faces(plain.config)
    picture = blank()
    draw_face(picture, "ana", 100, 100, 200)
    badge = enrolment.plain_badge(NUMBER)
    vault = open_vault(plain.config, create=True)
    template = enrolment.template_from([("portrait", picture)], faces)
    with pytest.raises(EdgeGateError):
        enrolment.register(vault, badge, template=template, consent=None, expires=2, now=1)
    vault.close()
    assert not template.vector.any()
