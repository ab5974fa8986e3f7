"""`edgegate service`: sealing the site secret, waiting until the gate is READY, going back to the old version."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edgegate.deploy import assets, seal, trial, unit
from edgegate.deploy.host import Host
from edgegate.errors import EdgeGateError

# The site secret

needs_creds = pytest.mark.skipif(shutil.which("systemd-creds") is None, reason="this machine has no systemd-creds")


def touch(root: Path, path: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()


@pytest.fixture
def sealing(tmp_path: Path) -> Host:
    """A root with a site secret, and a host key of its own for systemd-creds."""
    touch(tmp_path, seal.PLAIN)
    (tmp_path / seal.PLAIN[1:]).write_text("ab" * 32 + "\n")
    return Host(tmp_path, {"SYSTEMD_CREDENTIAL_SECRET": str(tmp_path / "host.secret")})


@needs_creds
def test_a_sealed_secret_replaces_the_plain_one(sealing: Host) -> None:
    """The plain file goes, the unit is pointed at the sealed one, which opens to the same; once is enough."""
    assert [assets.SEALED] == seal.seal(sealing, "host")
    assert not sealing.path(seal.PLAIN).exists()
    assert seal.there(sealing)
    assert b"abab" not in sealing.path(seal.SEALED).read_bytes()
    assert 0o600 == sealing.path(seal.SEALED).stat().st_mode & 0o777
    opened = sealing.run("systemd-creds", "decrypt", "--name=site.key", sealing.path(seal.SEALED), "-")
    assert "ab" * 32 + "\n" == opened
    drop_in = sealing.path(assets.SEALED).read_text("utf-8")
    expected = [
        "[Service]",
        "LoadCredential=",  # takes back all of them, that of the device's key too
        "LoadCredential=device.key:/etc/edgegate/device.key",
        "LoadCredentialEncrypted=site.key:/etc/edgegate/site.key.cred",
    ]
    assert expected == drop_in.splitlines()[1:]
    assert [] == seal.seal(sealing, "host")


@needs_creds
def test_a_secret_that_cannot_be_sealed_stays(sealing: Host) -> None:
    """No TPM, or no way to seal: the plain file is where it was."""
    broken = Host(sealing.root, {"SYSTEMD_CREDENTIAL_SECRET": "/dev/null/none"})
    with pytest.raises(EdgeGateError, match="systemd-creds encrypt"):
        seal.seal(broken, "host")
    assert "ab" * 32 + "\n" == sealing.path(seal.PLAIN).read_text("ascii")


def test_a_plain_secret_takes_the_drop_in_away(tmp_path: Path) -> None:
    """Whoever puts a plain secret back wants it used."""
    touch(tmp_path, seal.PLAIN)
    touch(tmp_path, assets.SEALED)
    assert [assets.SEALED] == seal.seal(Host(tmp_path), "no")
    assert not (tmp_path / assets.SEALED[1:]).exists()


# Waiting until it is READY


class Scripted(Host):
    """A systemd that gives one answer after another; the last one stays."""

    __slots__ = ("answers",)
    answers: list[dict[str, str]]

    def systemctl(self, *words: str, check: bool = True) -> str:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return "\n".join(f"{key}={value}" for key, value in answer.items())


def state(active: str, sub: str, **values: str) -> dict[str, str]:
    return {"ActiveState": active, "SubState": sub, "MainPID": "7", "NRestarts": "0", "Result": "success", **values}


STARTING = state("activating", "start")
RUNNING = state("active", "running")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([STARTING, STARTING, RUNNING], ""),
        ([STARTING], "it was not READY within 60 s"),
        ([state("failed", "failed", Result="exit-code", ExecMainStatus="3")], "it ended with exit code 3"),
        (
            [STARTING, state("activating", "auto-restart", NRestarts="3", Result="watchdog")],
            "its loop stood still and the watchdog ended it",
        ),
        (
            [RUNNING] * 5 + [state("failed", "failed", Result="signal", ExecMainStatus="11")],
            "it was ended by signal 11",
        ),
        # Crashes once, then runs: given the time, that is READY.
        ([state("activating", "auto-restart", NRestarts="1", Result="exit-code"), STARTING, RUNNING], ""),
    ],
)
def test_ready_means_ready_for_a_while(answers: list[dict[str, str]], expected: str) -> None:
    """Until READY has lasted; an end before that is told in words."""
    host, clock = Scripted(), iter(range(10_000))
    object.__setattr__(host, "answers", list(answers))
    assert expected == unit.ready(host, 60, now=lambda: float(next(clock)) / 4, sleep=lambda _: None)


def test_every_result_of_systemd_has_words() -> None:
    """No technician has to look up `oom-kill`."""
    results = ("exit-code", "signal", "watchdog", "timeout", "oom-kill", "start-limit-hit", "resources", "protocol")
    for result in results:
        assert unit.State({"Result": result}).failure.startswith(("it ", "its ", "systemd "))
    assert "failed, dead" == unit.State({"ActiveState": "failed", "SubState": "dead"}).failure


# Going back


class Silent(Host):
    """A systemd that does whatever it is told."""

    __slots__ = ()

    def systemctl(self, *words: str, check: bool = True) -> str:
        return ""


@pytest.mark.parametrize("changed", [True, False])
def test_going_back_takes_new_tables_away(tmp_path: Path, changed: bool) -> None:
    """Tables that the old version could not read are undone; otherwise what was written meanwhile stays."""
    host, store = Silent(tmp_path), tmp_path / "vault.db"
    (tmp_path / "opt/edgegate").mkdir(parents=True)
    with closing(sqlite3.connect(store)) as database:
        database.executescript("CREATE TABLE badge (id); INSERT INTO badge VALUES (1); PRAGMA user_version=1;")
    with trial._copies(host, [store, tmp_path / "missing.db"]) as undo:
        assert 0o700 == (tmp_path / "opt/edgegate/before-upgrade").stat().st_mode & 0o777
        with closing(sqlite3.connect(store)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("INSERT INTO badge VALUES (2)")
            if changed:
                database.execute("ALTER TABLE badge ADD COLUMN new")
            database.commit()
        trial._take_back(host, undo)
    with closing(sqlite3.connect(store)) as database:
        rows = database.execute("SELECT * FROM badge").fetchall()
    assert ([(1,)] if changed else [(1,), (2,)]) == rows
    assert not (tmp_path / "opt/edgegate/before-upgrade").exists()


def test_going_back_brings_no_withdrawn_consent_back(tmp_path: Path) -> None:
    """Who withdrew while the new version was tried: the badge is unknown afterwards, the others are as they were."""
    host, store = Silent(tmp_path), tmp_path / "vault.db"
    (tmp_path / "opt/edgegate").mkdir(parents=True)
    canary = bytes(range(64, 128))
    with closing(sqlite3.connect(store)) as database:
        database.executescript("CREATE TABLE badge (handle BLOB PRIMARY KEY, status TEXT, sealed BLOB)")
        rows = [(b"a", "volunteer", canary), (b"b", "volunteer", b"kept"), (b"c", "diary", None)]
        database.executemany("INSERT INTO badge VALUES (?, ?, ?)", rows)
        database.commit()
    with trial._copies(host, [store]) as undo:
        with closing(sqlite3.connect(store)) as database:
            database.execute("ALTER TABLE badge ADD COLUMN new")
            database.execute("UPDATE badge SET status = 'diary', sealed = NULL WHERE handle = ?", (b"a",))
            database.commit()
        trial._take_back(host, undo)
    with closing(sqlite3.connect(store)) as database:
        assert rows[1:] == database.execute("SELECT * FROM badge ORDER BY handle").fetchall()
    assert canary not in store.read_bytes()
