"""What the vault knows beside its badges: a few values by name."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from edgegate.sqlite import one_line, transaction

LOCKDOWN = "lockdown"
WITHDRAWAL = "withdrawal"
"""The desk's word that somebody comes to withdraw."""
SITE = "site"
"""The mark of the site secret."""
UNFINISHED = "unfinished"
"""Something was forgotten, but perhaps not overwritten yet."""
PUT = "INSERT OR REPLACE INTO setting VALUES (?, ?)"


class Settings:
    """The table `setting`, in an open database."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def get(self, name: str) -> Any:
        """None when there is no such value."""
        with one_line(self._path):
            row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def put(self, name: str, value: int) -> None:
        with transaction(self._db, self._path) as db:
            db.execute(PUT, (name, value))

    def remove(self, name: str) -> bool:
        """Was there such a value? Nothing is written when there was none."""
        if self.get(name) is None:
            return False
        with transaction(self._db, self._path) as db:
            return bool(db.execute("DELETE FROM setting WHERE name = ?", (name,)).rowcount)
