"""`enroll list --expiring`, `erase --all-expired` and `--everything`, and the receipts of `revoke` and `erase`."""

from __future__ import annotations

import builtins
import io
import json
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest

from edgegate.adapters import open_journal, open_vault
from edgegate.model import TemplateForm
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import DAY_S, Site

LIST, ERASE = ("enroll", "list"), ("enroll", "erase")
HOUR_S = 3600


def said(site: Site) -> list[tuple[str, str]]:
    with closing(open_journal(site.config)) as journal:
        return [(row.reason, row.detail) for row in journal.rows() if row.kind == "consent"]


def statuses(site: Site) -> list[str]:
    with closing(open_vault(site.config)) as vault:
        return sorted(entry.status.value for entry in vault.entries())


def test_consents_that_end_are_counted(site: Site, cli: Cli) -> None:
    """30, 7 and 1 days before; soonest first; diary badges and later ends are not among them."""
    ends = {"ana": HOUR_S, "ben": 6 * DAY_S, "chloe": 29 * DAY_S, "dan": 31 * DAY_S}
    made = {name: site.enrol(name, consent_in_s=seconds, expires_in_s=90 * DAY_S) for name, seconds in ends.items()}
    site.enrol(None, expires_in_s=HOUR_S)
    short = site.enrol("eve", consent_in_s=80 * DAY_S, expires_in_s=5 * DAY_S)
    told = json.loads(good(cli(*LIST, "--expiring", "--json", cwd=site.folder)))
    assert {"30": 4, "7": 3, "1": 1} == told["within_days"]
    expected = [made["ana"], short, made["ben"], made["chloe"]]
    assert [badge.handle.hex() for badge in expected] == [badge["handle"] for badge in told["badges"]]
    lines = good(cli(*LIST, "--expiring")).splitlines()
    assert (6, "consents that end: 4 within 30 days, 3 within 7 days, 1 within 1 day") == (len(lines), lines[-1])
    assert [badge.handle.hex()[:12] for badge in expected] == [line.split()[0] for line in lines[1:-1]]


def test_nothing_ends(site: Site, cli: Cli) -> None:
    """Zero is a count too."""
    site.enrol("ana")
    told = json.loads(good(cli(*LIST, "--expiring", "--json", cwd=site.folder)))
    assert {"within_days": {"30": 0, "7": 0, "1": 0}, "badges": []} == told


def test_the_list_tells_form_and_alteration(site: Site, cli: Cli) -> None:
    """Where each template is; a row that this site did not write is marked, whatever it says."""
    keyed, carried, altered = site.enrol("ana"), site.enrol("ben", form=TemplateForm.ON_BADGE), site.enrol("chloe")
    with closing(sqlite3.connect(site.config.vault.path)) as db, db:
        db.execute("UPDATE badge SET badge_expires = badge_expires + 1 WHERE handle = ?", (altered.handle,))
    lines = {line.split()[0]: line.split()[1:4] for line in good(cli(*LIST, cwd=site.folder)).splitlines()[1:-1]}
    assert ["volunteer", "signed", "badge-keyed"] == lines[keyed.handle.hex()[:12]]
    assert ["volunteer", "signed", "on-badge"] == lines[carried.handle.hex()[:12]]
    assert "ALTERED" == lines[altered.handle.hex()[:12]][0]
    told = {row["handle"]: row["altered"] for row in json.loads(good(cli(*LIST, "--json")))}
    assert {keyed.handle.hex(): False, carried.handle.hex(): False, altered.handle.hex(): True} == told


@pytest.mark.parametrize("action", ["revoke", "erase"])
def test_each_gives_its_receipt(site: Site, cli: Cli, action: str) -> None:
    """For a volunteer the journal says that a consent is gone; once is enough."""
    ana, dan = site.enrol("ana"), site.enrol(None)
    out = good(cli("enroll", action, ana.card_number, cwd=site.folder))
    done = "revoked" if action == "revoke" else "erased"
    assert f"edgegate receipt 1\nwhat: badge {done}\nbadge: {ana.handle.hex()[:12]}\nrows: 1\n" in out
    assert "receipt" in good(cli("enroll", action, dan.handle.hex()))
    assert [("erased", "checked")] == said(site)
    again = good(cli("enroll", action, ana.handle.hex()))
    assert f"badge {ana.handle.hex()[:12]} was {done}" in again
    assert "receipt" not in again
    assert [("erased", "checked")] == said(site)


def test_a_stolen_badge_is_refused_whatever_the_journal_says(site: Site, cli: Cli) -> None:
    """A full disk is told, and the badge revoked."""
    ana = site.enrol("ana")
    good(cli(*LIST, cwd=site.folder))
    with closing(sqlite3.connect(site.config.journal.path)) as db, db:
        db.execute("CREATE TRIGGER no_room BEFORE INSERT ON entry BEGIN SELECT raise(ABORT, 'disk is full'); END")
    code, out, err = cli("enroll", "revoke", ana.card_number)
    assert (1, True) == (code, f"badge {ana.handle.hex()[:12]} revoked" in out)
    assert "and who looks is recorded there first" in err
    assert ["revoked"] == statuses(site)


def test_all_that_is_past_its_date(site: Site, cli: Cli) -> None:
    """What the gate does at midnight, on demand: consents that ended, badges that expired; the others stay."""
    site.enrol("ana", consent_in_s=-60)
    site.enrol("ben", expires_in_s=-60)
    site.enrol(None, expires_in_s=-60)
    site.enrol("chloe")
    out = good(cli(*ERASE, "--all-expired", cwd=site.folder))
    assert "3 badges or their consents were past their date: 2 templates and consents are gone" in out
    assert "what: all that was past its date\nbadge: -\nrows: 3\n" in out
    assert ["diary", "volunteer"] == statuses(site)
    assert [("lapsed", "checked")] * 2 == said(site)
    assert "nothing is past its date\n" == good(cli(*ERASE, "--all-expired"))


def test_everything_is_forgotten(site: Site, cli: Cli) -> None:
    """Both questions answered: an empty vault, a receipt, and a row for every consent."""
    site.enrol("ana")
    site.enrol("ben", form=TemplateForm.ON_BADGE)
    site.enrol(None)
    out = good(cli(*ERASE, "--everything", "--yes", "--yes", cwd=site.folder))
    assert "3 badges erased, 2 of volunteers" in out
    assert "what: every badge erased\nbadge: -\nrows: 3\n" in out
    assert [] == statuses(site)
    assert [("erased", "checked")] * 2 == said(site)
    assert "the vault is empty\n" == good(cli(*ERASE, "--everything", "--yes", "--yes"))


def test_a_copy_of_the_vault_is_told(site: Site, cli: Cli) -> None:
    """Everything is forgotten, but not in the backup that somebody made: no receipt, exit 1, and its name."""
    site.enrol("ana")
    (site.folder / "usb").mkdir()
    shutil.copy(site.config.vault.path, site.folder / "usb" / "old.db")
    code, out, err = cli(*ERASE, "--everything", "--yes", "--yes", cwd=site.folder)
    assert (1, True) == (code, "1 badges erased" in out)
    assert "usb/old.db: still holds some of what was erased" in err
    assert "edgegate receipt" not in out
    assert [("erased", "found")] == said(site)


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answers", "options", "gone"),
    [
        (["y", "y"], (), True),
        (["oui", "Y"], (), True),
        (["y"], ("--yes",), True),
        (["y", "n"], (), False),
        (["n"], (), False),
        ([""], (), False),
        ([], (), False),
        (["y", "what?"], (), False),
    ],
)
def test_it_asks_twice(
    site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch, answers: list[str], options: tuple[str, ...], gone: bool
) -> None:
    """Anything but two clear answers erases nothing."""
    site.enrol("ana")
    left = list(answers)

    def ask(prompt: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr(sys, "stdin", Person())
    monkeypatch.setattr(builtins, "input", ask)
    before = but_journal(site.folder)
    result = cli(*ERASE, "--everything", *options, cwd=site.folder)
    assert [] == left
    if gone:
        good(result)
        assert [] == statuses(site)
    else:
        assert "--everything: nothing was erased" in refusal(result)
        assert before == but_journal(site.folder)


def test_without_a_terminal_nobody_is_asked(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script says it twice, or nothing happens."""
    site.enrol("ana")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\n"))
    for options in ((), ("--yes",)):
        line = refusal(cli(*ERASE, "--everything", *options, cwd=site.folder))
        assert "nobody can answer here; give --yes --yes" in line
    assert ["volunteer"] == statuses(site)


def test_one_of_the_three_is_named(site: Site, cli: Cli) -> None:
    """A person, all that is expired, or everything; never two of them."""
    site.enrol("ana")
    for line in (ERASE, (*ERASE, "--all-expired", "--everything"), (*ERASE, "who", "--everything")):
        refusal(cli(*line, cwd=site.folder))
    assert ["volunteer"] == statuses(site)
