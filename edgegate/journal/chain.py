"""Each row's hash covers its values and the hash before it, so that no row can change or go unseen."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

import cbor2

from edgegate.ports import Row

GENESIS = bytes(32)
PSEUDONYM_DIGITS = 16


def row_hash(before: bytes, row: Row) -> bytes:
    """SHA-256 over the hash before and the row as canonical CBOR (RFC 8949, section 4.2)."""
    values = [
        1,
        row.seq,
        row.at,
        row.gate,
        row.kind,
        row.decision,
        row.reason,
        row.detail,
        row.presentation,
        row.pseudonym,
        row.latency_ms,
    ]
    return hashlib.sha256(before + cbor2.dumps(values, canonical=True)).digest()


class DailyPseudonyms:
    """A badge has one pseudonym a day. The key lives in memory only and ends with the day (UTC)."""

    def __init__(self) -> None:
        self._day, self._key = "", b""

    def of(self, handle: bytes | None, at: int) -> str:
        """16 hexadecimal digits, or nothing for an entry about no badge."""
        if handle is None:
            return ""
        day = datetime.fromtimestamp(at, UTC).date().isoformat()
        if day != self._day:
            self._day, self._key = day, secrets.token_bytes(32)
        return hmac.digest(self._key, handle, "sha256").hex()[:PSEUDONYM_DIGITS]

    def __repr__(self) -> str:
        return "DailyPseudonyms(…)"
