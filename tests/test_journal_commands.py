"""`journal` as a supervisor uses it: the rows for people and as a table, and a changed one found."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from pathlib import Path

import cv2
import pytest

from edgegate.app import App
from edgegate.images import read_image
from tests.commands import Cli, good, refusal
from tests.conftest import Site, blank


@pytest.fixture
def journal(site: Site) -> Path:
    """The journal of a gate that saw one diary badge."""
    site.enrol(None, badge="b.png")
    frames = site.folder / "frames"
    frames.mkdir()
    picture = blank()
    badge = read_image(site.folder / "b.png")
    picture[60:288, 300:528] = cv2.resize(badge, (228, 228), interpolation=cv2.INTER_AREA)
    for number in range(3):
        cv2.imwrite(str(frames / f"{number}.png"), picture)
    with App(site.configure(camera={"source": "frames:frames"}), until_end=True) as app:
        app.run()
    return site.folder / "journal.db"


def test_the_journal_is_read_verified_and_exported(site: Site, cli: Cli, journal: Path) -> None:
    """Tail for people, CSV for a table, and the same rows in both; a file that exists is not overwritten."""
    assert f"{journal}: 3 rows, the chain holds\n" == good(cli("journal", "verify", cwd=site.folder))
    lines = good(cli("journal", "tail")).splitlines()
    said = [re.search(r"  Test gate  (#1)? *(\S+)", line) for line in lines]
    assert ["start", "refer/not_enrolled", "stop"] == [found[2] for found in said if found]
    assert lines[-1:] == good(cli("journal", "tail", "-n", "1")).splitlines()
    for count, shown in (("0", 0), ("-5", 0), ("99999999999999999999", 3)):
        assert shown == len(good(cli("journal", "tail", "-n", count)).splitlines())
    text = good(cli("journal", "export", "--csv", "-"))
    good(cli("journal", "export", "--csv", "out.csv"))
    assert text.split() == (journal.parent / "out.csv").read_text().split()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert ["start", "decision", "stop"] == [row["kind"] for row in rows]
    assert ("1", "refer", "not_enrolled", 16) == (
        rows[1]["presentation"],
        rows[1]["decision"],
        rows[1]["reason"],
        len(rows[1]["pseudonym"]),
    )
    before = (journal.parent / "out.csv").read_bytes()
    assert "out.csv: cannot be written (File exists)" in refusal(cli("journal", "export", "--csv", "out.csv"))
    assert "cannot be written" in refusal(cli("journal", "export", "--csv", "none/out.csv"))
    assert before == (journal.parent / "out.csv").read_bytes()


def test_a_changed_journal_is_found(site: Site, cli: Cli, journal: Path) -> None:
    """One decision rewritten behind the gate's back: exit code 1, and the row is named."""
    db = sqlite3.connect(journal)
    db.executescript("DROP TRIGGER entry_stays; UPDATE entry SET decision = 'granted', reason = 'match' WHERE seq = 2")
    db.close()
    code, out, err = cli("journal", "verify", cwd=site.folder)
    assert (1, "") == (code, err)
    assert f"{journal}: the chain does not hold: row 2 was altered; keep this file and tell who is in charge\n" == out


def test_a_missing_journal_is_one_line(site: Site, cli: Cli) -> None:
    """Before the first run there is none, and reading makes none."""
    for command in (("tail",), ("verify",), ("export", "--csv", "-")):
        assert "journal.db: does not exist yet" in refusal(cli("journal", *command, cwd=site.folder))
    assert not (site.folder / "journal.db").exists()
