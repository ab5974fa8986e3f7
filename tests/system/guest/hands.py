"""What the tests of the gate do and see, in their words: `from guest.hands import *` in a script for the guest."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

from .parts import Camera, Chip, Reader, journal, properties, run, wait_for

UNIT = "edgegate.service"
PICTURES = "/opt/machine/pictures/"
LAMPS = {"green": 17, "amber": 27, "red": 22, "buzzer": 23}
ACKNOWLEDGE, DIARY = 24, 25
SAFE = {"green": False, "amber": True, "red": False, "buzzer": False}
PATIENCE_S = 200.0
"""For what a board does in seconds."""

chip, reader, camera = Chip(), Reader(), Camera()


def lamps() -> dict[str, bool]:
    """Where the outputs are, as the chip sees them."""
    return {name: chip.value(line) for name, line in LAMPS.items()}


def safe() -> bool:
    return lamps() == SAFE


def status() -> str:
    """What `systemctl status` says in the gate's words."""
    return properties(UNIT, "StatusText")["StatusText"]


def restarts() -> int:
    return int(properties(UNIT, "NRestarts")["NRestarts"])


def pid() -> int:
    return int(properties(UNIT, "MainPID")["MainPID"])


def until(begins: str) -> float:
    """Seconds until the status begins so."""

    def instead() -> str:
        return "\n".join(
            (f"status {begins}, but {properties(UNIT, 'ActiveState', 'StatusText')}", *journal(UNIT)[-12:])
        )

    return wait_for(lambda: status().startswith(begins), PATIENCE_S, instead, 0.2)


def kill(number: signal.Signals) -> None:
    """Send the gate a signal."""
    os.kill(pid(), number)


def show(picture: str) -> None:
    """Stand before the camera."""
    camera.show(PICTURES + picture)


def rows() -> list[tuple[int, str, str, str, str]]:
    """Number, kind, decision, reason and detail of every row of the gate's journal: those it has acknowledged."""
    with closing(sqlite3.connect("file:/var/lib/edgegate/journal.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT seq, kind, decision, reason, detail FROM entry ORDER BY seq").fetchall()


def vault_is_whole() -> bool:
    """SQLite's own full check, and the three badges."""
    with closing(sqlite3.connect("file:/var/lib/edgegate/vault.db?mode=ro", uri=True)) as db:
        checked = db.execute("PRAGMA integrity_check").fetchall()
        return checked == [("ok",)] and db.execute("SELECT count(*) FROM badge").fetchone() == (3,)


def newest() -> int:
    """The number of the newest row."""
    return max((row[0] for row in rows()), default=0)


def decided(after: int, *wanted: str) -> None:
    """Wait for a row after that number whose last fields begin so: decision, reason, detail."""
    wait_for(
        lambda: any(row[2 : 2 + len(wanted)] == wanted for row in rows() if row[0] > after),
        PATIENCE_S,
        lambda: f"{wanted} after row {after} in {rows()[-5:]}",
        0.2,
    )


__all__ = [
    "ACKNOWLEDGE",
    "DIARY",
    "LAMPS",
    "PATIENCE_S",
    "PICTURES",
    "SAFE",
    "UNIT",
    "camera",
    "chip",
    "decided",
    "journal",
    "json",
    "kill",
    "lamps",
    "newest",
    "os",
    "pid",
    "properties",
    "reader",
    "restarts",
    "rows",
    "run",
    "safe",
    "show",
    "signal",
    "status",
    "subprocess",
    "time",
    "until",
    "vault_is_whole",
    "wait_for",
]
