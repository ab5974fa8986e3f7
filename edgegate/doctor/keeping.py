"""Vault and journal: they open, no page is damaged, the chain holds. Counts only, never a handle."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from edgegate.adapters import open_journal, open_vault
from edgegate.config import Config
from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, fail, ok, skip, warn
from edgegate.files import exists
from edgegate.model import Status
from edgegate.sqlite import one_line


def vault(config: Config, machine: Machine) -> Finding:
    """Opens, and how many badges of each kind it holds."""
    path, secret = config.vault.path, config.vault.site_secret
    if not os.access(secret, os.R_OK) and secret.name in machine.credentials():
        return skip(f"opens only with {secret}, which is systemd's to hand over", "see what the line `service` says")
    if not exists(path):
        return warn("there is none yet: every badge is unknown", "enrol with `edgegate enroll add`")
    with closing(open_vault(config)) as opened:
        counts = Counter(standing.status for standing in opened.entries())
        locked = opened.locked()
    damage = _damage(path)
    if damage:
        return fail(f"{path} is damaged ({damage})", "stop the gate and put back a copy")
    says = ", ".join(f"{counts[status]} {status.value}" for status in Status if status is not Status.UNKNOWN)
    if locked:
        return warn(f"good: {says}; the gate is in lockdown", "`edgegate lockdown off` when it is over")
    return ok(f"good: {says}")


def journal(config: Config) -> Finding:
    """Opens, and its chain holds from the first row to the last."""
    if not exists(config.journal.path):
        return warn("there is none yet", "`edgegate run` makes it")
    with closing(open_journal(config)) as opened:
        count = opened.verify()
    return ok(f"{count} rows, the chain holds")


def _damage(path: Path) -> str:
    """What SQLite's quick check finds; empty when nothing."""
    with one_line(path), closing(sqlite3.connect(path)) as connection:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if found == "ok" else found[:80]
