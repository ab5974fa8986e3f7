"""How many decisions of each kind fell into each hour (UTC), and how long they took: what stays when rows go.

The table holds what was purged; rows that are still there are counted when asked for. Nothing in it is about a badge.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Iterator

from edgegate.stores import HourCount

ABOVE_MS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""The buckets of latency by what lies below each: the first is up to 10 ms, the last above 5 s without end."""
UP_TO_MS = dict(zip(ABOVE_MS, (*map(float, ABOVE_MS[1:]), math.inf), strict=True))

_BUCKET = "CASE " + " ".join(f"WHEN latency_ms > {above} THEN {above}" for above in reversed(ABOVE_MS)) + " ELSE 0 END"
_COUNTED = (
    f"SELECT at - at % 3600 AS hour, decision, reason, {_BUCKET} AS above_ms, count(*) AS count FROM entry "
    "WHERE decision <> '' AND seq <= ? GROUP BY 1, 2, 3, 4"
)
_ALL_ROWS = (1 << 63) - 1


def fold(db: sqlite3.Connection, upto: int) -> None:
    """Add the rows up to this one, which are about to go, to the table."""
    db.execute(
        f"INSERT INTO hourly (hour, decision, reason, above_ms, count) {_COUNTED} "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (upto,),
    )


def counts(db: sqlite3.Connection) -> Iterator[HourCount]:
    """All that was ever counted, and the rows that are there; in order of time."""
    query = (
        f"SELECT hour, decision, reason, above_ms, sum(count) FROM (SELECT * FROM ({_COUNTED}) UNION ALL "
        "SELECT hour, decision, reason, above_ms, count FROM hourly) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
    for hour, decision, reason, above, count in db.execute(query, (_ALL_ROWS,)):
        if above not in UP_TO_MS:
            raise sqlite3.DatabaseError("an hourly count was altered")
        yield HourCount(hour, decision, reason, UP_TO_MS[above], count)


def digest(db: sqlite3.Connection) -> bytes:
    """SHA-256 of the table, a line `hour|decision|reason|above_ms|count` for each row in this order: what
    `sqlite3 journal.db "SELECT … FROM hourly ORDER BY 1, 2, 3, 4" | sha256sum` says too."""
    found = hashlib.sha256()
    # As bytes: text that was damaged has a digest too.
    line = "CAST(hour || '|' || decision || '|' || reason || '|' || above_ms || '|' || count || char(10) AS BLOB)"
    for (data,) in db.execute(f"SELECT {line} FROM hourly ORDER BY hour, decision, reason, above_ms"):
        found.update(data)
    return found.digest()
