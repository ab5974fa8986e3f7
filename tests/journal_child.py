"""A journal at work in another process, to be killed: entries and purges, one after the other, without end.

`python -m tests.journal_child PATH KEY FIRST`: says `ready`, waits for a line, then says each entry's number once it is
acknowledged.
"""

from __future__ import annotations

import sys
from contextlib import closing
from itertools import count
from pathlib import Path

from edgegate import device_key
from edgegate.journal.store import SqliteJournal
from edgegate.stores import Entry
from tests.contracts.kit import NOW

STEP_S = 600
KEPT = 10


def entry(number: int) -> Entry:
    """One decision, each a little later than the one before."""
    latency_ms = number * 37 % 6000
    return Entry(NOW + number * STEP_S, "decision", "refer", "no_face", presentation=number, latency_ms=latency_ms)


def main(path: str, key: str, first: str) -> None:
    with closing(SqliteJournal(Path(path), "Gate", create=True, signer=device_key.load(Path(key)))) as journal:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in count(int(first)):
            journal.append(entry(number))
            print(number, flush=True)
            if number % 3 == 0:
                journal.purge(NOW + (number - KEPT) * STEP_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
