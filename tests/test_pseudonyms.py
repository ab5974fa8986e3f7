"""The day's pseudonyms: the same until midnight, also after a restart; then nothing that is left makes them again."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgegate.adapters import open_journal
from edgegate.app import App
from edgegate.journal.pseudonyms import DIGITS, FILE, DailyPseudonyms
from edgegate.journal.store import SqliteJournal
from edgegate.stores import Entry
from tests.conftest import Site
from tests.contracts.kit import DAY_S, NOW

NOON = NOW - NOW % DAY_S + DAY_S // 2
HANDLES = [hashlib.sha256(bytes([number])).digest() for number in range(3)]


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """What systemd gives a service to write to in memory."""
    (tmp_path / "run").mkdir(mode=0o700)
    return tmp_path / "run"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The state directory."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def day(disk: Path, runtime: Path | None, at: int) -> list[str]:
    """One run of a daemon: each badge once. Gives the pseudonyms."""
    with closing(SqliteJournal(disk / "journal.db", "Gate A", create=True, runtime=runtime)) as journal:
        for handle in HANDLES:
            journal.append(Entry(at, "decision", "refer", "not_enrolled", handle=handle))
        return [row.pseudonym for row in journal.rows(len(HANDLES))]


def keys(*folders: Path) -> Iterator[bytes]:
    """Every 32 bytes that any file holds, wherever they begin; and what digits spell, too."""
    for folder in folders:
        for path in folder.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            yield from (data[at : at + 32] for at in range(len(data) - 31))
            digits = bytes(char for char in data if chr(char) in "0123456789abcdefABCDEF")
            for first in (0, 1):
                spelt = bytes.fromhex(digits[first : len(digits) - (len(digits) - first) % 2].decode("ascii"))
                yield from (spelt[at : at + 32] for at in range(len(spelt) - 31))


def opens(name: str, *folders: Path) -> bool:
    """Can this pseudonym be made of some badge's handle with anything in these folders?"""
    return any(name == hmac.digest(key, HANDLES[0], "sha256").hex()[:DIGITS] for key in keys(*folders))


def test_a_restart_keeps_the_days_pseudonyms(disk: Path, runtime: Path) -> None:
    """With a runtime directory, one badge is one person all day; without, the key ends with the process."""
    names = day(disk, runtime, NOON)
    assert names == day(disk, runtime, NOON + 60)
    assert len(HANDLES) == len(set(names))
    assert [FILE] == [path.name for path in runtime.iterdir()]
    assert 0o600 == (runtime / FILE).stat().st_mode & 0o777
    assert set() == set(names) & set(day(disk, None, NOON + 120))


def test_yesterdays_pseudonyms_cannot_be_made_again(disk: Path, runtime: Path) -> None:
    """Not from any 32 bytes of any file on disk or in memory; today's could, from the one file that ends tonight."""
    with closing(SqliteJournal(disk / "journal.db", "Gate A", create=True, runtime=runtime)) as journal:
        journal.append(Entry(NOON, "decision", handle=HANDLES[0]))
        (yesterday,) = (row.pseudonym for row in journal.rows())
        assert opens(yesterday, runtime)
        assert not opens(yesterday, disk)
        journal.append(Entry(NOON + DAY_S, "decision", handle=HANDLES[0]))
        *_, today = (row.pseudonym for row in journal.rows())
        assert yesterday != today
        assert not opens(yesterday, disk, runtime)
        assert opens(today, runtime)
    assert not opens(yesterday, disk, runtime)
    assert not opens(today, disk)


@pytest.mark.parametrize("late", [1, DAY_S, 40 * DAY_S])
def test_an_old_key_goes_with_the_first_entry(disk: Path, runtime: Path, late: int) -> None:
    """A daemon that finds one from another day, however late, overwrites and removes it; no badge need come."""
    (before, *_) = day(disk, runtime, NOON)
    midnight = NOON + DAY_S // 2
    with closing(SqliteJournal(disk / "journal.db", "Gate A", runtime=runtime)) as journal:
        journal.append(Entry(midnight - 1, "start"))
        assert opens(before, runtime)
        journal.append(Entry(midnight - 1 + late, "start"))
        assert [] == list(runtime.iterdir())
    assert not opens(before, disk, runtime)


def test_the_day_ends_without_anybody_coming(disk: Path, runtime: Path) -> None:
    """At midnight (UTC) and not before, when the daemon says what time it is."""
    with closing(SqliteJournal(disk / "journal.db", "Gate A", create=True, runtime=runtime)) as journal:
        journal.append(Entry(NOON, "decision", handle=HANDLES[0]))
        journal.end_day(NOON + DAY_S // 2 - 1)
        assert [FILE] == [path.name for path in runtime.iterdir()]
        journal.end_day(NOON + DAY_S // 2)
        assert [] == list(runtime.iterdir())


def test_the_old_key_is_overwritten_before_it_is_removed(disk: Path, runtime: Path) -> None:
    """Somebody who holds the file open, or a file system that only forgets the name, keeps zeros."""
    day(disk, runtime, NOON)
    with (runtime / FILE).open("rb") as held:
        assert any(held.read()[-32:])
        day(disk, runtime, NOON + DAY_S)
        held.seek(0)
        found = held.read()
    assert bytes(len(found)) == found
    assert 0 < len(found)


def test_a_clock_that_goes_back_reuses_no_key(disk: Path, runtime: Path) -> None:
    """Two days, then the first again: three keys, in one run or in three."""
    with closing(SqliteJournal(disk / "journal.db", "Gate A", create=True, runtime=runtime)) as journal:
        for at in (NOON, NOON + DAY_S, NOON):
            journal.append(Entry(at, "decision", handle=HANDLES[0]))
        names = [row.pseudonym for row in journal.rows()]
    names += [name for at in (NOON - DAY_S, NOON, NOON - DAY_S) for name in day(disk, runtime, at)[:1]]
    assert 6 == len(set(names))


@pytest.mark.parametrize(
    "data", [b"", b"x", b"2026-09-21\n" + bytes(31), b"2026-09-21\n" + bytes(33), bytes(43), b"x" * 100_000]
)
def test_a_file_of_another_form_goes(disk: Path, runtime: Path, data: bytes) -> None:
    """Cut short by a kill, or not ours: never taken for a key."""
    (runtime / FILE).write_bytes(data)
    names = day(disk, runtime, NOON)
    assert not any(key == bytes(32) for key in keys(runtime))
    assert names == day(disk, runtime, NOON)


def test_a_link_is_not_followed(disk: Path, runtime: Path) -> None:
    """Whatever it points at stays as it is."""
    target = disk / "target"
    target.write_bytes(b"2026-09-21\n" + bytes(32))
    (runtime / FILE).symlink_to(target)
    day(disk, runtime, NOON)
    assert b"2026-09-21\n" + bytes(32) == target.read_bytes()
    assert not (runtime / FILE).is_symlink()


def test_a_runtime_directory_that_cannot_be_written_is_told_once(
    disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The record goes on; only a restart would begin new pseudonyms."""
    with caplog.at_level(logging.WARNING):
        names = day(disk, tmp_path / "none", NOON)
    assert [f"{tmp_path}/none/{FILE}: cannot be written (No such file or directory); a restart today begins new "] == [
        record.getMessage().removesuffix("pseudonyms") for record in caplog.records
    ]
    assert len(HANDLES) == len(set(names))


def test_only_the_daemon_leaves_a_key(site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands write what they write with a key of their own; the daemon takes the first directory it was given."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{runtime}:{runtime}/other")
    for options in ({"create": True, "daemon": False}, {}):
        with closing(open_journal(site.config, **options)) as journal:
            journal.append(Entry(NOON, "consent", handle=HANDLES[0]))
        assert [] == list(runtime.iterdir())
    with closing(open_journal(site.config, create=True)) as journal:
        journal.append(Entry(NOON, "decision", handle=HANDLES[0]))
        assert 3 == len({row.pseudonym for row in journal.rows()})
    assert [FILE] == [path.name for path in runtime.iterdir()]


def test_it_does_not_show_its_key() -> None:
    """In no repr; and once closed, the key is zeros."""
    pseudonyms = DailyPseudonyms()
    pseudonyms.of(HANDLES[0], NOON)
    assert "DailyPseudonyms(…)" == repr(pseudonyms)
    assert any(pseudonyms._key)
    pseudonyms.close()
    assert not any(pseudonyms._key)


def test_what_cannot_be_removed_is_told(disk: Path, runtime: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Here a folder of that name. The record goes on with a key in memory alone."""
    (runtime / FILE).mkdir()
    names = day(disk, runtime, NOON)
    assert "remove it by hand" in caplog.text
    assert "cannot be written" in caplog.text
    assert len(HANDLES) == len(set(names))


def test_the_daemon_ends_the_day(site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its chores do, when no badge comes any more: every hour, and when a new day has begun."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    with App(site.config, until_end=True) as app:
        now = int(app.clock.wall())
        app.journal.append(Entry(now, "decision", handle=HANDLES[0]))
        app._chores(now)
        assert [FILE] == [path.name for path in runtime.iterdir()]
        app._chores(now + DAY_S)
        assert [] == list(runtime.iterdir())
