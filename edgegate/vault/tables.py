"""The vault's tables, version by version."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence

from edgegate.sqlite import Migration, statements
from edgegate.vault.rows import COLUMNS, INSERT, BadgeRow, RowCodes, site_mark
from edgegate.vault.secret import SiteSecret
from edgegate.vault.settings import SITE

log = logging.getLogger(__name__)

FIRST = """
    CREATE TABLE badge (
        handle BLOB PRIMARY KEY CHECK (length(handle) = 32),
        status TEXT NOT NULL CHECK (status IN ('volunteer', 'diary', 'revoked')),
        badge_expires INTEGER NOT NULL,
        card BLOB UNIQUE,
        pack_id TEXT,
        sealed BLOB,
        consent_by TEXT,
        consent_version TEXT,
        consent_given INTEGER,
        consent_expires INTEGER,
        CHECK ((status = 'volunteer') = (sealed IS NOT NULL)),
        CHECK ((sealed IS NULL) = (pack_id IS NULL)),
        CHECK ((sealed IS NULL) = (consent_expires IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID
"""
PLAIN = "ALTER TABLE badge ADD COLUMN plain INTEGER NOT NULL DEFAULT 0 CHECK (plain IN (0, 1))"
_AUTHENTICATED = """
    ALTER TABLE badge RENAME TO old_badge;
    ALTER TABLE setting RENAME TO old_setting;
    CREATE TABLE badge (
        handle BLOB PRIMARY KEY CHECK (length(handle) = 32),
        status TEXT NOT NULL CHECK (status IN ('volunteer', 'diary', 'revoked')),
        badge_expires INTEGER NOT NULL,
        card BLOB UNIQUE,
        pack_id TEXT,
        sealed BLOB,
        consent_by TEXT,
        consent_version TEXT,
        consent_given INTEGER,
        consent_expires INTEGER,
        consent_language TEXT,
        plain INTEGER NOT NULL CHECK (plain IN (0, 1)),
        mac BLOB NOT NULL CHECK (length(mac) = 32),
        CHECK ((status = 'volunteer') = (pack_id IS NOT NULL)),
        CHECK ((status = 'volunteer') = (consent_by IS NOT NULL)),
        CHECK ((status = 'volunteer') = (consent_version IS NOT NULL)),
        CHECK ((status = 'volunteer') = (consent_given IS NOT NULL)),
        CHECK ((status = 'volunteer') = (consent_expires IS NOT NULL)),
        CHECK ((status = 'volunteer') = (consent_language IS NOT NULL)),
        CHECK (status = 'volunteer' OR sealed IS NULL)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO setting SELECT name, value FROM old_setting
"""
_OLD_COLUMNS = ", ".join(
    "CASE WHEN status = 'volunteer' THEN 'fr' END" if name == "consent_language" else name for name in COLUMNS
)


def migrations(secret: SiteSecret) -> Sequence[Migration]:
    """From nothing, or any older version, to the present one.

    The rows of a vault that had no codes yet are believed as they are, which is said in the log: whoever can write the
    file could give it that older form again.
    """

    def authenticate(db: sqlite3.Connection) -> None:
        for statement in statements(_AUTHENTICATED):
            db.execute(statement)
        codes = RowCodes(secret)
        rows = [BadgeRow(*values) for values in db.execute(f"SELECT {_OLD_COLUMNS} FROM old_badge")]
        db.executemany(INSERT, ((*row.values(), codes.code(row)) for row in rows))
        if rows:
            log.warning(
                "vault: %d badges of an older version are vouched for from now on, as they were found", len(rows)
            )
        db.execute("INSERT INTO setting VALUES (?, ?)", (SITE, site_mark(secret)))
        db.execute("DROP TABLE old_badge")
        db.execute("DROP TABLE old_setting")

    return ("first", FIRST), ("plain", PLAIN), ("authenticated", authenticate)
