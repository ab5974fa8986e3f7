"""`enroll add`: who agreed to what and until when, where the badge goes, and options that would be passed over."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgegate.adapters import open_book
from edgegate.badges.decoders import ZxingDecoder
from edgegate.faces.fake_engine import draw_face
from edgegate.model import Credential
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import Site, blank
from tests.test_enroll import day, entries, years_from

AGREED = ("--consent-by", "both", "--consent-version", "2026-1")
DIARY = ("enroll", "add", "--diary")


@pytest.fixture
def volunteer(site: Site) -> tuple[str, ...]:
    """The options that enrol somebody."""
    picture = blank()
    draw_face(picture, "ana", 100, 100, 200)
    cv2.imwrite(str(site.folder / "ana.png"), picture)
    return ("enroll", "add", "--volunteer", "--photo", "ana.png", "--badge-out", "b.png")


def dated(text: str) -> str:
    """`{7}` is the day in a week, `{year}` the same day next year."""
    return re.sub(r"\{(-?\d+)\}", lambda found: day(int(found[1])), text).replace("{year}", years_from(date.today()))


def consent_of(site: Site, cli: Cli) -> dict[str, Any]:
    (entry,) = entries(site, cli)
    consent = entry["consent"]
    assert isinstance(consent, dict)
    return consent | {"badge": entry["expires"]}


def test_a_consent_has_its_own_dates_and_language(site: Site, cli: Cli, volunteer: tuple[str, ...]) -> None:
    """Given last week, for a year, in Portuguese; the badge ends earlier."""
    own = ("--consent-language", "pt", "--consent-given", day(-7), "--consent-until", day(300))
    good(cli(*volunteer, *AGREED, *own, "--expires", day(100), cwd=site.folder))
    expected = {"by": "both", "version": "2026-1", "language": "pt", "given": day(-7), "expires": day(300)}
    assert expected | {"badge": day(100)} == consent_of(site, cli)


def test_one_date_is_enough(site: Site, cli: Cli, volunteer: tuple[str, ...]) -> None:
    """Consent and badge end together, in the gate's language, given today."""
    site.configure(gate={"language": "fr"})
    good(cli(*volunteer, *AGREED, "--consent-until", day(40), cwd=site.folder))
    expected = {"by": "both", "version": "2026-1", "language": "fr", "given": day(0), "expires": day(40)}
    assert expected | {"badge": day(40)} == consent_of(site, cli)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--consent-given", "{1}"), "--consent-given: {1} is to come; give the day on which they agreed"),
        (("--consent-given", "soon"), "--consent-given: 'soon' is not a date; write it as"),
        (("--consent-given", "0001-01-01"), "0001-01-01 is out of reach; give a day of this century"),
        (("--consent-given", "{-400}"), "--consent-until: a consent is for 12 months at most; ask again"),
        (("--consent-given", "{-300}"), "--consent-until: a consent is for 12 months at most; give 2"),
        (("--consent-until", "{-1}"), "--consent-until: {-1} is past; give a day to come"),
        (
            ("--consent-until", "{400}"),
            "--consent-until: a consent is for 12 months at most; give {year} at the latest",
        ),
        (("--consent-until", "9999-12-31"), "--consent-until: a consent is for 12 months at most"),
        (("--consent-until", "2026-02-30"), "is not a date"),
        (("--consent-language", "français"), "--consent-language: this is no language; give its code of ISO 639"),
        (("--consent-language", "FR"), "this is no language"),
        (("--consent-version", "x" * 65), "--consent-version: a text's version has 1 to 64"),
        (("--consent-version", "2026\n1"), "a text's version has 1 to 64"),
    ],
)
def test_a_consent_that_makes_no_sense_is_refused(
    site: Site, cli: Cli, volunteer: tuple[str, ...], options: tuple[str, ...], says: str
) -> None:
    """To come, over, longer than a year, in no language: before anything is made."""
    before = but_journal(site.folder)
    line = refusal(cli(*volunteer, *AGREED, "--expires", day(100), *map(dated, options), cwd=site.folder))
    assert dated(says) in line
    assert before == but_journal(site.folder)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ((*DIARY, "--badge-out", "b.png", "--photo", "ana.png"), "--photo"),
        ((*DIARY, "--badge-out", "b.png", "--camera"), "--camera"),
        ((*DIARY, "--badge-out", "b.png", "--consent-by", "both"), "--consent-by"),
        ((*DIARY, "--badge-out", "b.png", "--consent-language", "fr"), "--consent-language"),
        ((*DIARY, "--badge-out", "b.png", "--template", "on-badge"), "--template"),
        ((*DIARY, "--badge-out", "b.png", "--badge-format", "png"), "--badge-format"),
        ((*DIARY, "--plain", "0008415732", "--size-mm", "0"), "--size-mm"),
        ((*DIARY, "--plain", "0008415732", "--passphrase-file", "x"), "--passphrase-file"),
        ((*DIARY, "--plain", "0008415732", "--badge-format", "svg"), "--badge-format"),
        ((*DIARY, "--plain", "0008415732", "--template", "badge-keyed"), "--template"),
        (("enroll", "erase", "0008415732", "--yes"), "--yes"),
        (("enroll", "erase", "--all-expired", "--yes"), "--yes"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(
    site: Site, cli: Cli, volunteer: tuple[str, ...], line: tuple[str, ...], option: str
) -> None:
    """Somebody meant something by them: one line that names the option, and nothing is done."""
    site.configure(badges={"readers": [{"kind": "stdin"}], "allow_plain": True, "formats": ["typed"]})
    site.enrol(None)
    before = but_journal(site.folder)
    said = refusal(cli(*line, cwd=site.folder))
    assert said.startswith(f"edgegate: {option}: ")
    assert "leave" in said
    assert before == but_journal(site.folder)


def run(site: Site, *args: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edgegate", *args]
    return subprocess.run(command, cwd=site.folder, check=False, **options)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_badge_goes_to_a_pipe(site: Site, kind: str) -> None:
    """Only the picture is on standard output; words and JSON are on standard error; no file is left."""
    done = run(site, *DIARY, "--badge-out", "-", "--badge-format", kind, "--json", capture_output=True)
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stderr.decode())
    assert "-" == told["badge"]
    assert not list(site.folder.glob("*.png")) + list(site.folder.glob("*.svg"))
    if kind == "svg":
        assert done.stdout.startswith(b"<?xml")
        assert done.stdout.rstrip().endswith(b"</svg>")
        return
    picture = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    (text,) = ZxingDecoder().decode(np.asarray(picture, np.uint8), 0.0)
    assert isinstance(open_book(site.config).verify(text), Credential)


def test_a_pipe_tells_what_to_do(site: Site) -> None:
    """PNG unless asked otherwise, and the words of a person on standard error."""
    done = run(site, *DIARY, "--badge-out", "-", capture_output=True)
    assert done.stdout.startswith(b"\x89PNG")
    assert b"card number " in done.stderr
    assert b"see that no queue keeps a copy" in done.stderr


def test_a_pipe_that_breaks_leaves_no_badge(site: Site, cli: Cli) -> None:
    """The printer went away: one line, exit 2, and no row of a badge that nobody has."""
    site.enrol(None)
    reading, writing = os.pipe()
    os.close(reading)
    done = run(site, *DIARY, "--badge-out", "-", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert b"the badge could not be handed on (Broken pipe)" in done.stderr
    assert 1 == len(entries(site, cli))


def test_a_full_disk_leaves_no_badge(site: Site, cli: Cli) -> None:
    """The same where standard output is a file on a disk without space."""
    site.enrol(None)
    with Path("/dev/full").open("wb") as full:
        done = run(site, *DIARY, "--badge-out", "-", stdout=full, stderr=subprocess.PIPE)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert b"the badge could not be handed on (No space left on device)" in done.stderr
    assert 1 == len(entries(site, cli))


def test_a_terminal_gets_no_picture(site: Site) -> None:
    """A key on a screen, and in its scroll-back, would be no key any more."""
    terminal, inner = pty.openpty()
    done = run(site, *DIARY, "--badge-out", "-", stdout=inner, stderr=subprocess.PIPE)
    os.close(inner)
    os.close(terminal)
    assert 2 == done.returncode
    assert b"standard output is a terminal; pipe it to a printer" in done.stderr
    assert not (site.folder / "vault.db").exists()


def test_the_journal_says_that_a_consent_was_given(site: Site, cli: Cli, volunteer: tuple[str, ...]) -> None:
    """For a volunteer, not for a diary badge; who enrolled is the row before, where there was a vault already."""
    good(cli(*DIARY, "--badge-out", "d.png", cwd=site.folder))
    good(cli(*volunteer, *AGREED, "--expires", day(100)))
    rows = [line.split(maxsplit=5)[-1] for line in good(cli("journal", "tail")).splitlines()]
    assert any("enroll add" in row for row in rows)
    assert 1 == len([row for row in rows if row.startswith("consent/given")])


def test_consent_days_are_whole_days(site: Site, cli: Cli, volunteer: tuple[str, ...]) -> None:
    """The longest consent given ends with the day a year later, to the second at midnight."""
    start = date.today() - timedelta(30)
    last = years_from(start)
    own = ("--consent-given", start.isoformat(), "--consent-until", last)
    good(cli(*volunteer, *AGREED, *own, cwd=site.folder))
    assert last == consent_of(site, cli)["expires"]
    after = (date.fromisoformat(last) + timedelta(1)).isoformat()
    line = refusal(cli(*volunteer[:-1], "c.png", *AGREED, *own[:-1], after))
    assert f"give {last} at the latest" in line
