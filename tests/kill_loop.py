"""The work that `tests/test_kill_loop.py` kills: enrolling, withdrawing and presenting on one site, again and again.

`python -m tests.kill_loop FOLDER` loads everything once, then starts a worker for every line it reads, because a start
of Python with all its libraries takes longer than the work. It says `worker PID`, and `gone` when that one has ended. A
worker says what it begins and, once the real command has acknowledged it, what is done, each as one line of JSON.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import sys
import threading
from contextlib import closing, redirect_stdout
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from edgegate import enrolment
from edgegate.adapters import open_book, open_journal, open_vault
from edgegate.app import App
from edgegate.cli import main as edgegate
from edgegate.config import Config
from edgegate.config_file import load
from edgegate.model import Credential
from edgegate.ports import DecisionNote, Note

PHOTO = "ana.png"
EXPIRES = (date.today() + timedelta(days=100)).isoformat()


def say(what: dict[str, Any]) -> None:
    """A line of its own: less than 4096 bytes go into a pipe whole or not at all."""
    os.write(1, json.dumps(what).encode() + b"\n")


class Reasons:
    """Port `Observer`: the reasons of the decisions made."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, note: Note) -> None:
        if isinstance(note, DecisionNote):
            self.heard.append(note.reason.value)


class Worker:
    """One life: does what the dice say, until somebody kills it."""

    def __init__(self, folder: Path, config: Config, seed: str) -> None:
        self._folder, self._config, self._dice = folder, config, Random(seed)

    def work(self) -> None:
        while True:
            badges = sorted(self._folder.glob("badges/*.png"))
            kind = self._dice.choice(["withdraw", "present", "present", "enrol"] if badges else ["enrol"])
            if kind == "enrol":
                self.enrol()
            elif kind == "withdraw":
                self.withdraw(self._dice.choice(badges))
            else:
                self.present(self._dice.choice(badges))

    def enrol(self) -> None:
        badge = self._folder / "badges" / f"{os.getpid()}-{self._dice.getrandbits(40):010x}.png"
        say({"begins": "enrol", "badge": badge.name})
        consent = ("--volunteer", "--consent-by", "both", "--consent-version", "1", "--expires", EXPIRES)
        code, out = self._command(
            "enroll", "add", "--photo", str(self._folder / PHOTO), *consent, "--badge-out", str(badge), "--json"
        )
        assert code == 0
        self._done("enrol", badge, handle=json.loads(out)["handle"])

    def withdraw(self, badge: Path) -> None:
        credential, _ = self._read(badge)
        with closing(open_vault(self._config)) as vault:
            handle = vault.handle_of(credential.badge_id)
        with closing(sqlite3.connect(self._config.vault.path)) as db:
            row = db.execute("SELECT sealed FROM badge WHERE handle = ?", (handle,)).fetchone()
        sealed = row[0].hex() if row and row[0] else ""
        say({"begins": "withdraw", "badge": badge.name, "handle": handle.hex()})
        code, _ = self._command("consent", "withdraw", str(badge))
        self._done("withdraw", badge, handle=handle.hex(), code=code, sealed=sealed)

    def present(self, badge: Path) -> None:
        credential, text = self._read(badge)
        say({"begins": "present", "badge": badge.name})
        reasons = Reasons()
        with App(self._config, observers=[reasons], lines=io.BytesIO(f"{text}\n".encode()), until_end=True) as app:
            app.run()
            handle = app.vault.handle_of(credential.badge_id).hex()
        self._done("present", badge, handle=handle, reasons=reasons.heard)

    def _read(self, badge: Path) -> tuple[Credential, str]:
        text = enrolment.read_badge(badge)
        credential = open_book(self._config).verify(text)
        assert isinstance(credential, Credential)
        return credential, text

    def _command(self, *words: str) -> tuple[int, str]:
        with redirect_stdout(io.StringIO()) as out:
            code = edgegate([*words, "--config", str(self._folder / "config.yaml")])
        return code, out.getvalue()

    def _done(self, kind: str, badge: Path, **more: Any) -> None:
        """The journal's head as it is now: this far, everything was acknowledged."""
        with closing(open_journal(self._config)) as journal:
            head = journal.head()
        say({"done": kind, "badge": badge.name, "seq": head.seq, "hash": head.hash.hex(), **more})


def main(folder: Path) -> None:
    config = load(folder / "config.yaml")
    # What the first use of each library costs is paid here, once.
    first = Worker(folder, config, "")
    first.enrol()
    for badge in folder.glob("badges/*.png"):
        first.present(badge)
        first.withdraw(badge)
    assert threading.active_count() == 1, "a fork takes no threads along"
    os.write(1, b"ready\n")
    for seed in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                os.write(1, f"worker {os.getpid()}\n".encode())
                Worker(folder, config, seed).work()
            finally:
                os._exit(1)  # whatever went wrong is on stderr; the parent's files are the parent's
        os.waitpid(pid, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
