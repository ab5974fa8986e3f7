"""What was forgotten is gone from the files: pages given back are zeroed, logs are short, every search came to its
end."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgegate.errors import StoreError
from edgegate.files import exists
from edgegate.forgetting import FOUND, UNREAD
from edgegate.prove import scripts
from edgegate.prove.inventory import pattern
from edgegate.prove.report import Claim, Found, Hand, find, judged, listed, sql
from edgegate.prove.scene import NotThereYet, Scene

MAX_LOG = 5_000_000
"""Bytes. SQLite folds a log into its file after 1,000 pages of 4 kB, and writes over it from its beginning."""
TRIES = 3
DONE = "SELECT reason, count(*) FROM entry WHERE kind = 'consent' GROUP BY 1 ORDER BY 1"
INCOMPLETE = f"SELECT count(*) FROM entry WHERE kind = 'consent' AND detail IN ('{FOUND}', '{UNREAD}')"


def _searched(scene: Scene) -> Found:
    count = scene.number(scene.journal, INCOMPLETE)
    done = ", ".join(f"{reason} {number}" for reason, number in scene.ask(scene.journal, DONE))
    return judged(count, count=count, done=done or "0")


def _there(scene: Scene) -> list[Path]:
    found = [store for store in (scene.vault, scene.journal) if exists(store)]
    if not found:
        raise NotThereYet(scene.vault)
    return found


def _zeroed(scene: Scene) -> Found:
    pages, dirty = 0, 0
    for _ in range(TRIES):
        found = [any(page) for store in _there(scene) for page in free_pages(store)]
        pages, dirty = len(found), sum(found)
        if not dirty:
            break  # else look again: the gate may have been folding its log into the file meanwhile
    return judged(dirty, count=dirty, pages=pages)


def free_pages(store: Path) -> Iterator[bytes]:
    """The leaves of a file's list of free pages (https://www.sqlite.org/fileformat2.html#the_freelist). Raises
    StoreError when there is no such list."""
    try:
        with store.open("rb") as stream:
            header = stream.read(100)
            size = struct.unpack_from(">H", header, 16)[0]
            trunk, count = struct.unpack_from(">II", header, 32)
            size = 65536 if size == 1 else size
            for _ in range(count):
                if not trunk:
                    break
                page = _page(stream, trunk, size)
                trunk, leaves = struct.unpack_from(">II", page)
                for leaf in struct.unpack_from(f">{leaves}I", page, 8):
                    yield _page(stream, leaf, size)
    except struct.error:
        raise StoreError("its list of free pages is damaged", where=str(store), next="put back a copy") from None


def _page(stream: BinaryIO, number: int, size: int) -> bytes:
    stream.seek((number - 1) * size)
    return stream.read(size)


def _logs(scene: Scene) -> Found:
    logs = [store.with_name(f"{store.name}-wal") for store in _there(scene)]
    sizes = {log: log.stat().st_size for log in logs if exists(log)}
    long = [str(log) for log, size in sizes.items() if size > MAX_LOG]
    shown = ", ".join(f"{log.name} {size // 1000} kB" for log, size in sizes.items())
    return judged(long, files=listed(long), sizes=shown or "0 kB")


def _by_size(scene: Scene) -> Hand:
    stores = (scene.vault, scene.journal)
    places = tuple(dict.fromkeys(store.parent for store in stores))
    names = [word for store in stores for word in ("-o", "-path", pattern(store.with_name(f"{store.name}-wal")))][1:]
    return Hand(find(places, "-maxdepth", "1", "-size", f"+{MAX_LOG}c", "(", *names, ")"))


CLAIMS = (
    Claim("erasure.searched", _searched, lambda scene: Hand(sql(scene.journal, INCOMPLETE), "0")),
    Claim("erasure.zeroed", _zeroed, lambda scene: Hand(scripts.free(*_there(scene)), "0")),
    Claim("erasure.logs", _logs, _by_size),
)
