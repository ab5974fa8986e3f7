"""The journal's file: its tables, and how older ones become the present ones."""

from __future__ import annotations

from edgegate.journal.chain import GENESIS
from edgegate.journal.start import NO_HOURS
from edgegate.sqlite import Migration

APPLICATION_ID = 0x45474A31  # "EGJ1"
COLUMNS = "seq, at, gate, kind, decision, reason, detail, presentation, pseudonym, latency_ms, hash"
"""Of a row, in the order of `stores.Row`."""
START_COLUMNS = "seq, hash, before, hours, unsigned, doubt, device, signature"
"""In the order of `start.Start`."""

MIGRATIONS: tuple[Migration, ...] = (
    (
        "first",
        f"""
        CREATE TABLE entry (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            gate TEXT NOT NULL,
            kind TEXT NOT NULL,
            decision TEXT NOT NULL,
            reason TEXT NOT NULL,
            detail TEXT NOT NULL,
            presentation INTEGER NOT NULL,
            pseudonym TEXT NOT NULL,
            latency_ms REAL NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32)
        ) STRICT;
        CREATE TABLE purged (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
        INSERT INTO purged VALUES (0, x'{GENESIS.hex()}');
        CREATE TABLE head (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
        INSERT INTO head VALUES (0, x'{GENESIS.hex()}');
        CREATE TRIGGER entry_follows BEFORE INSERT ON entry WHEN new.seq <= (SELECT seq FROM head)
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER entry_kept BEFORE DELETE ON entry WHEN old.seq > (SELECT seq FROM purged)
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END
        """,
    ),
    (
        "signed start and hourly counts",
        f"""
        CREATE TABLE start (
            seq INTEGER NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            before INTEGER NOT NULL,
            hours BLOB NOT NULL CHECK (length(hours) = 32),
            unsigned INTEGER NOT NULL,
            doubt TEXT NOT NULL,
            device TEXT NOT NULL,
            signature BLOB NOT NULL CHECK (length(signature) IN (0, 64))
        ) STRICT;
        INSERT INTO start SELECT seq, hash, 0, x'{NO_HOURS.hex()}', 0, '', '', x'' FROM purged;
        DROP TRIGGER entry_kept;
        DROP TABLE purged;
        CREATE TRIGGER entry_kept BEFORE DELETE ON entry WHEN old.seq > (SELECT seq FROM start)
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
        CREATE TABLE hourly (
            hour INTEGER NOT NULL,
            decision TEXT NOT NULL,
            reason TEXT NOT NULL,
            above_ms INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (hour, decision, reason, above_ms)
        ) STRICT, WITHOUT ROWID
        """,
    ),
)
