"""Each row's hash covers its values and the hash before it, so that no row can change or go unseen."""

from __future__ import annotations

import hashlib

import cbor2

from edgegate.stores import Row

GENESIS = bytes(32)


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


def flaw(seq: int, before: bytes, row: Row) -> str:
    """What is wrong with the row that follows row `seq`, whose hash is `before`; empty when nothing is."""
    if row.seq != seq + 1:
        return f"row {seq + 1} is missing"
    if row.hash != row_hash(before, row):
        return f"row {row.seq} was altered"
    return ""
