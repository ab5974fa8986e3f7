"""Whoever looks at journal or vault is in the journal first; what cannot be recorded is not shown."""

from __future__ import annotations

import logging
import os
import pwd
import time
from contextlib import closing

import pytest

from edgegate import BUILT, sessions
from edgegate.adapters import open_journal, open_vault
from edgegate.errors import EdgeGateError
from edgegate.sessions import look
from edgegate.stores import CLOCK_ACCEPTED, SESSION, Entry, Row
from tests.commands import Cli, good, refusal
from tests.conftest import DAY_S, Site
from tests.contracts.kit import files, said


@pytest.fixture(autouse=True)
def anna(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anna is at the terminal, and has called sudo."""
    monkeypatch.setenv("SUDO_USER", "anna")


def start(site: Site) -> None:
    """A gate that ran once."""
    with closing(open_journal(site.config, create=True, daemon=False)) as journal:
        journal.append(Entry(int(time.time()), "start"))


def rows(site: Site) -> list[Row]:
    with closing(open_journal(site.config)) as journal:
        return list(journal.rows())


def looks(site: Site) -> list[tuple[str, str]]:
    """Who looked, with which command."""
    return [(row.detail, row.reason) for row in rows(site) if row.kind == SESSION]


def test_a_look_is_an_entry(site: Site) -> None:
    """Who, with what, when; about no badge, and no decision."""
    start(site)
    before = int(time.time())
    look(site.config, "enroll list")
    *_, row = rows(site)
    assert (SESSION, "enroll list", "cli:anna", "", "") == (
        row.kind,
        row.reason,
        row.detail,
        row.decision,
        row.pseudonym,
    )
    assert before <= row.at <= time.time()


@pytest.mark.parametrize("name", ["", "two\nlines", "a" * 33, "\x1b[2J", "a b"])
def test_who_looks_is_one_word(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """sudo's word for it where that is a name; otherwise whose process it is; a user without a name is a number."""
    assert "cli:anna" == sessions.user()
    monkeypatch.setenv("SUDO_USER", name)
    own = pwd.getpwuid(os.getuid()).pw_name
    assert f"cli:{own}" == sessions.user()
    monkeypatch.delenv("SUDO_USER")
    assert f"cli:{own}" == sessions.user()
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert "cli:4000000" == sessions.user()


def test_where_there_is_nothing_to_see_nothing_is_made(site: Site) -> None:
    """No journal, no vault: the look leaves no file. A vault alone gets a journal."""
    before = files(site.folder)
    look(site.config, "enroll list")
    look(site.config, "doctor", must=False)
    assert before == files(site.folder)
    open_vault(site.config, create=True).close()
    look(site.config, "doctor", must=False)
    assert "journal.db" not in files(site.folder)
    look(site.config, "enroll list")
    assert [("cli:anna", "enroll list")] == looks(site)


def test_what_cannot_be_recorded_is_not_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged journal refuses the look, in one line; whoever examines it looks all the same, and is told."""
    (site.folder / "journal.db").write_bytes(b"no database" * 100)
    with pytest.raises(EdgeGateError, match="and who looks is recorded there first") as caught:
        look(site.config, "enroll list")
    assert f"{site.folder}/journal.db" in said(caught.value)
    assert "" == caplog.text
    with caplog.at_level(logging.WARNING):
        look(site.config, "doctor", must=False)
    assert "this look could not be recorded: " in caplog.text


def test_a_clock_that_is_wrong_is_not_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a row would make the gate doubt the right time later: the newest known time is taken."""
    start(site)
    (known,) = (row.at for row in rows(site))
    for wrong in (0.0, BUILT - 400.0 * DAY_S, time.time() + 4000 * DAY_S):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: wrong)
        look(site.config, "journal tail")
    assert all(known <= row.at <= known + 60 for row in rows(site))


def test_each_command_that_looks_is_recorded(site: Site, cli: Cli) -> None:
    """Journal, clock, lockdown and doctor: one entry each, before what it shows."""
    start(site)
    commands = (
        ("journal", "tail"),
        ("journal", "verify"),
        ("journal", "head"),
        ("journal", "hours"),
        ("journal", "export", "--csv", "-"),
        ("clock", "status"),
        ("lockdown", "status"),
        ("lockdown", "on"),
        ("lockdown", "off"),
    )
    for command in commands:
        good(cli(*command, cwd=site.folder))
    assert [("cli:anna", " ".join(command[:2])) for command in commands] == looks(site)
    lines = good(cli("journal", "tail", "-n", "3")).splitlines()
    assert ["looked: cli:anna with `lockdown on`", "looked: cli:anna with `lockdown off`"] == [
        line.partition("Test gate")[2].strip() for line in lines[:2]
    ]
    assert lines[2].endswith("looked: cli:anna with `journal tail`")


def test_who_accepted_the_clock_is_known(site: Site, cli: Cli) -> None:
    """The entry that does it says so itself."""
    start(site)
    good(cli("clock", "accept", cwd=site.folder))
    assert [(CLOCK_ACCEPTED, "cli:anna")] == [(row.kind, row.detail) for row in rows(site)[1:]]


def test_the_gate_is_locked_without_a_journal(site: Site, cli: Cli) -> None:
    """Nobody is kept from closing it by a damaged file; reading a journal that is none makes none."""
    (site.folder / "journal.db").write_bytes(b"no database" * 100)
    code, out, _ = cli("lockdown", "on", cwd=site.folder)
    assert (0, "lockdown\n") == (code, out)
    assert "cannot be used" in refusal(cli("journal", "tail"))
    (site.folder / "journal.db").unlink()
    for command in ("tail", "head", "hours", "verify"):
        assert "does not exist yet" in refusal(cli("journal", command))
    assert not (site.folder / "journal.db").exists()
