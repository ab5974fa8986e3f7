"""What no other program can do: three checks in Python's standard library alone, written a second time from the
documents of the formats, so that they agree with EdgeGate by being right and not by being the same code."""

from __future__ import annotations

from pathlib import Path
from shlex import join, quote

_CBOR = """
import hashlib, hmac, pathlib, sqlite3, struct, sys
def head(kind, n):
    size = 0 if n < 24 else 1 if n < 256 else 2 if n < 65536 else 4 if n < 2**32 else 8
    first = n if size == 0 else 23 + size.bit_length()
    return bytes([kind << 5 | first]) + (n.to_bytes(size, "big") if size else b"")
def number(value):
    for form, mark in ((">e", 0xf9), (">f", 0xfa), (">d", 0xfb)):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return bytes([mark]) + packed
def cbor(value):
    if value is None:
        return b"\\xf6"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, float):
        return number(value)
    data = value.encode() if isinstance(value, str) else value
    return head(3 if isinstance(value, str) else 2, len(data)) + data
def row(*values):
    return head(4, len(values)) + b"".join(map(cbor, values))
store = sqlite3.connect(pathlib.Path(sys.argv[1]).as_uri() + "?mode=ro", uri=True)
"""

_ROWS = (
    _CBOR
    + """
def mac(key, data):
    return hmac.new(key, data, "sha256").digest()
secret = bytes.fromhex(sys.stdin.read())
key = mac(mac(bytes(32), secret), b"edgegate/row/1\\x01")
columns = ("handle status badge_expires card pack_id sealed consent_by consent_version consent_given consent_expires "
           "consent_language plain mac").replace(" ", ", ")
print(sum(mac(key, row(*values)) != code for *values, code in store.execute("SELECT " + columns + " FROM badge")))
"""
)

_CHAIN = (
    _CBOR
    + """
seq, at = store.execute("SELECT seq, hash FROM start").fetchone()
columns = "seq, at, gate, kind, decision, reason, detail, presentation, pseudonym, latency_ms"
for *values, kept in store.execute("SELECT " + columns + ", hash FROM entry ORDER BY seq"):
    at = hashlib.sha256(at + row(1, *values)).digest()
    if values[0] != seq + 1 or at != kept:
        sys.exit("broken at row %d" % (seq + 1))
    seq += 1
whole = (seq, at) == store.execute("SELECT seq, hash FROM head").fetchone()
print("%d:%s" % (seq, at.hex()) if whole else "rows after %d are missing" % seq)
"""
)

_FREE = """
import struct, sys
left = 0
for name in sys.argv[1:]:
    data = open(name, "rb").read()
    size = struct.unpack_from(">H", data, 16)[0]
    size = 65536 if size == 1 else size
    trunk = struct.unpack_from(">I", data, 32)[0]
    while trunk:
        page = data[(trunk - 1) * size : trunk * size]
        trunk, count = struct.unpack_from(">II", page)
        for leaf in struct.unpack_from(">%dI" % count, page, 8):
            left += any(data[(leaf - 1) * size : leaf * size])
print(left)
"""


def rows(vault: Path, secret: Path, sealed: Path | None) -> str:
    """Counts the rows of the vault whose code is not that of the site secret, which comes in by a pipe."""
    if sealed is not None:
        opened = join(["systemd-creds", "decrypt", f"--name={secret.name}", str(sealed), "-"])
        return f"{opened} | {_python(_ROWS, vault)}"
    return f"{_python(_ROWS, vault)} < {quote(str(secret))}"


def chain(journal: Path) -> str:
    """Walks the journal from its start to its head, which it prints."""
    return f"{_python(_CHAIN, journal)} 2>&1"


def free(*stores: Path) -> str:
    """Counts the free pages that are not all zeros."""
    return _python(_FREE, *stores)


def _python(script: str, *arguments: Path) -> str:
    return join(["python3", "-c", script.strip(), *map(str, arguments)])
