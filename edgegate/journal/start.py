"""Where a journal begins once old rows were purged: the last row that went, signed with the device's key.

What is signed is plain text. Anybody rebuilds it with sqlite3(1) and `TEXT_SQL`, and checks it with the device's public
key and openssl(1); what it says of `hours` is the SHA-256 that `hours.digest` explains.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Protocol

from edgegate.journal.chain import GENESIS
from edgegate.stores import Signer

TEXT_SQL = (
    "SELECT 'edgegate journal start 1' || char(10) || 'row: ' || seq || char(10) || 'hash: ' || lower(hex(hash)) || "
    "char(10) || 'before: ' || before || char(10) || 'hours: ' || lower(hex(hours)) || char(10) || 'unsigned: ' || "
    "unsigned || char(10) || 'doubt: ' || doubt || char(10) || 'device: ' || device FROM start"
)
NO_HOURS = hashlib.sha256().digest()
MAX_SHOWN = 200
ALTERED = "its start was altered"
NOT_SIGNED = "its start is not signed, although this device has a key (a running gate signs it)"


class Verifier(Protocol):
    """The public part of a device's key."""

    name: str

    def verifies(self, message: bytes, signature: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Start:
    """The row before the first that is kept, and what was true when the rows up to it went."""

    seq: int = 0
    hash: bytes = GENESIS
    before: int = 0
    """Rows older than this were purged (UTC seconds); 0 when that is not known, or nothing was."""
    hours: bytes = NO_HOURS
    """Digest of the table of hourly counts."""
    unsigned: int = 0
    """Rows up to this one were purged when there was no key to sign with."""
    doubt: str = ""
    """What did not hold when rows were purged: it is not forgotten with them."""
    device: str = ""
    """Whose key signed; nobody's, when empty."""
    signature: bytes = b""

    def text(self) -> bytes:
        """What is signed."""
        lines = (
            "edgegate journal start 1",
            f"row: {self.seq}",
            f"hash: {self.hash.hex()}",
            f"before: {self.before}",
            f"hours: {self.hours.hex()}",
            f"unsigned: {self.unsigned}",
            f"doubt: {self.doubt}",
            f"device: {self.device}",
        )
        return ("\n".join(lines) + "\n").encode()


def flaw(start: Start, key: Verifier | None) -> str:
    """Why a journal that begins so is not to be believed; empty when it is.

    A start that nobody signed passes where there is no key to sign with.
    """
    if start.doubt:
        return _shown(start.doubt)
    if not start.signature:
        if start.seq == 0:
            return "" if start == Start() else ALTERED
        return NOT_SIGNED if key is not None else ""
    if key is None:
        return f"its start is signed by device {_shown(start.device)}, whose public key is not here"
    if start.device != key.name:
        return f"its start is signed by another device ({_shown(start.device)})"
    return "" if key.verifies(start.text(), start.signature) else ALTERED


def next_start(
    old: Start, signer: Signer | None, *, seq: int, hash: bytes, before: int, hours: bytes, trouble: str
) -> Start:
    """The start after rows up to `seq` went. What was wrong with the old one, or `trouble` with the rows that went,
    goes on as doubt: a purge must not make good what was altered."""
    wrong, unsigned = old.doubt or trouble, old.unsigned
    if signer is not None and old.seq and not old.signature:
        unsigned = old.seq
    elif signer is not None and not old.doubt:
        wrong = flaw(old, signer) or trouble
    if wrong != old.doubt:
        wrong = f"when rows up to {seq} were purged, {wrong}"
    new = Start(seq, hash, before, hours, unsigned, wrong, signer.name if signer is not None else "")
    return replace(new, signature=signer.sign(new.text())) if signer is not None else new


def _shown(text: str) -> str:
    """What a file says may be anything; a message is one short line."""
    return text if text.isprintable() and len(text) <= MAX_SHOWN else "?"
