"""What the claims are looked at on: a configuration, its stores, the machine, the clock. Nothing here writes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegate.config import Config
from edgegate.doctor.machine import Machine
from edgegate.files import exists
from edgegate.sqlite import BUSY_MS, one_line


class NotThereYet(Exception):
    """A store that nobody has made yet."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A gate as it stands. `homes` are the folders of whoever asks; `temporary` those that anybody may write to."""

    config: Config
    machine: Machine
    now: float
    homes: tuple[Path, ...] = ()
    temporary: tuple[Path, ...] = ()

    @property
    def vault(self) -> Path:
        """The file itself, whatever links lead to it."""
        return self.config.vault.path.resolve()

    @property
    def journal(self) -> Path:
        return self.config.journal.path.resolve()

    def store(self, name: str) -> Path:
        """`vault` or `journal`."""
        return {"vault": self.vault, "journal": self.journal}[name]

    def ask(self, store: Path, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows of an answer. Raises NotThereYet, PermissionError, StoreError."""
        with self.reading(store) as connection:
            return connection.execute(query, arguments).fetchall()

    def number(self, store: Path, query: str, *arguments: object) -> int:
        """An answer that is one number; none counts as 0."""
        return int(self.ask(store, query, *arguments)[0][0] or 0)

    @contextmanager
    def reading(self, store: Path) -> Iterator[sqlite3.Connection]:
        """A connection that can neither write nor keep the gate from writing."""
        if not exists(store):
            raise NotThereYet(store)
        if not os.access(store, os.R_OK):
            raise PermissionError(13, "not readable", str(store))
        with (
            one_line(store),
            closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1000)) as connection,
        ):
            yield connection
