"""`journal` as a supervisor uses it: the rows for people and as a table, and a changed one found."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import pytest

from edgegate import device_key
from edgegate.adapters import open_journal
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
    assert f"{journal}: 4 rows, the chain holds\n" == good(cli("journal", "verify", cwd=site.folder))
    lines = good(cli("journal", "tail")).splitlines()
    said = [re.search(r"  Test gate  (#1)? *(\S+)", line) for line in lines]
    assert ["start", "refer/not_enrolled", "stop", "looked:", "looked:"] == [found[2] for found in said if found]
    (last,) = good(cli("journal", "tail", "-n", "1")).splitlines()
    assert last.endswith("with `journal tail`")
    for count, shown in (("0", 0), ("-5", 0), ("99999999999999999999", 9)):
        assert shown == len(good(cli("journal", "tail", "-n", count)).splitlines())
    text = good(cli("journal", "export", "--csv", "-"))
    good(cli("journal", "export", "--csv", "out.csv"))
    *before, own = (journal.parent / "out.csv").read_text().splitlines()
    assert text.splitlines() == before
    assert "journal export" in own
    rows = list(csv.DictReader(io.StringIO(text)))
    assert ["start", "decision", "stop"] + ["session"] * 7 == [row["kind"] for row in rows]
    assert ("1", "refer", "not_enrolled", 16) == (
        rows[1]["presentation"],
        rows[1]["decision"],
        rows[1]["reason"],
        len(rows[1]["pseudonym"]),
    )
    kept = (journal.parent / "out.csv").read_bytes()
    assert "out.csv: cannot be written (File exists)" in refusal(cli("journal", "export", "--csv", "out.csv"))
    assert "cannot be written" in refusal(cli("journal", "export", "--csv", "none/out.csv"))
    assert kept == (journal.parent / "out.csv").read_bytes()


def test_a_changed_journal_is_found(site: Site, cli: Cli, journal: Path) -> None:
    """One decision rewritten behind the gate's back: exit code 1, and the row is named."""
    db = sqlite3.connect(journal)
    db.executescript("DROP TRIGGER entry_stays; UPDATE entry SET decision = 'granted', reason = 'match' WHERE seq = 2")
    db.close()
    code, out, err = cli("journal", "verify", cwd=site.folder)
    assert (1, "") == (code, err)
    assert f"{journal}: the chain does not hold: row 2 was altered; keep this file and tell who is in charge\n" == out


def test_a_head_noted_elsewhere_shows_what_was_taken_back(site: Site, cli: Cli, journal: Path) -> None:
    """One line to keep; later it is found in the chain, unless an older file was put in its place."""
    good(cli("journal", "verify", cwd=site.folder))
    older = journal.read_bytes()
    line = good(cli("journal", "head"))
    assert re.fullmatch(r"5:[0-9a-f]{64}\n", line)
    assert "row 5 is the one whose head was noted" in good(cli("journal", "verify", "--head", line.strip()))
    more = json.loads(good(cli("journal", "head", "--json")))
    assert (7, "Test gate", str(journal), 1, None) == tuple(
        more[key] for key in ("seq", "gate", "journal", "first", "signed_by")
    )
    assert f"{more['seq']}:{more['hash']}" == more["head"]
    journal.write_bytes(older)
    code, out, err = cli("journal", "verify", "--head", line.strip())
    assert (1, "") == (code, err)
    assert "row 5 is not the one whose head was noted" in out
    journal.write_bytes(older)
    code, out, _ = cli("journal", "verify", "--head", more["head"])
    assert 1 == code
    assert "it ends with row 5, and row 7 was noted: an older file was put in its place" in out


@pytest.mark.parametrize("head", ["", "5", "5:", ":" + "0" * 64, "5:" + "0" * 63, "5:" + "g" * 64, "-5:" + "0" * 64])
def test_a_malformed_head_is_one_line(site: Site, cli: Cli, journal: Path, head: str) -> None:
    """A word left out when it was copied."""
    assert "--head: is not a head; give the whole line" in refusal(
        cli("journal", "verify", f"--head={head}", cwd=site.folder)
    )


def test_what_was_purged_is_told(site: Site, cli: Cli, journal: Path) -> None:
    """Signed where the device has a key; unsigned where it has none; a noted row that went is said to be older."""
    for name in ("device.key", "device.pub"):
        (site.folder / name).unlink(missing_ok=True)
    good(cli("journal", "head", cwd=site.folder))
    line = good(cli("journal", "head"))
    with closing(open_journal(site.config, create=True)) as opened:
        assert 5 == opened.purge(int(time.time()) + 60)
    said = good(cli("journal", "verify"))
    first, second = said.splitlines()
    assert f"{journal}: 1 rows, the chain holds" == first
    assert "it begins after row 5, the last that was purged: not signed: this device has no key" == second
    assert "row 5 is the one" in good(cli("journal", "verify", "--head", line.strip()))
    device_key.make(site.folder / "device.key")
    code, out, _ = cli("journal", "verify")
    assert 1 == code
    assert "its start is not signed, although this device has a key" in out
    with closing(open_journal(site.config, create=True)) as opened:
        opened.purge(int(time.time()) + 60)
    name = device_key.load(site.folder / "device.key").name
    said = good(cli("journal", "verify"))
    assert f"purged: signed by device {name}\nthere was no key yet when rows up to 5 were purged" in said
    code, out, _ = cli("journal", "verify", "--head", line.strip())
    assert 1 == code
    assert "row 5, is older than what is kept (rows from 9 on); note a newer one" in out
    more = json.loads(good(cli("journal", "head", "--json")))
    assert (9, name, 5) == (more["first"], more["signed_by"], more["unsigned_up_to"])


def test_hours_are_counted_for_the_report(site: Site, cli: Cli, journal: Path) -> None:
    """For people, as a table and as JSON; the same once the rows are gone."""

    def shown() -> tuple[str, str, list[dict[str, Any]]]:
        return (
            good(cli("journal", "hours", cwd=site.folder)),
            good(cli("journal", "hours", "--csv", "-")),
            json.loads(good(cli("journal", "hours", "--json"))),
        )

    lines, table, (count,) = before = shown()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00Z +1  refer/not_enrolled +half within \d+ ms\n", lines)
    assert {"decision": "refer", "reason": "not_enrolled", "count": 1} == {
        key: count[key] for key in ("decision", "reason", "count")
    }
    (row,) = csv.DictReader(io.StringIO(table))
    assert (count["hour"], count["up_to_ms"]) == (row["hour"], float(row["up_to_ms"]))
    with closing(open_journal(site.config)) as opened:
        opened.purge(int(time.time()) + 60)
    assert before == shown()
    good(cli("journal", "hours", "--csv", "out.csv"))
    assert "cannot be written (File exists)" in refusal(cli("journal", "hours", "--csv", "out.csv"))
    code, _, _ = cli("journal", "hours", "--csv", "-", "--json")
    assert 2 == code


def test_what_a_file_says_does_not_reach_the_terminal_as_it_is(site: Site, cli: Cli, journal: Path) -> None:
    """Somebody who can write to it could otherwise write on the supervisor's screen; nor is any date a crash."""
    db = sqlite3.connect(journal)
    db.executescript(
        "DROP TRIGGER entry_stays; UPDATE entry SET detail = char(27) || '[2J' || char(10), at = 1 << 60 WHERE seq = 2"
    )
    db.close()
    lines = good(cli("journal", "tail", cwd=site.folder)).splitlines()
    assert 4 == len(lines)
    assert "refer/not_enrolled (?[2J?)" in lines[1]
    assert str(1 << 60) in lines[1]
    good(cli("journal", "hours"))


def test_a_missing_journal_is_one_line(site: Site, cli: Cli) -> None:
    """Before the first run there is none, and reading makes none."""
    for command in (("tail",), ("verify",), ("head",), ("hours",), ("export", "--csv", "-")):
        assert "journal.db: does not exist yet" in refusal(cli("journal", *command, cwd=site.folder))
    assert not (site.folder / "journal.db").exists()
