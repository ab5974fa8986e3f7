"""The site secret: 32 random bytes that key the handles, and salt the sealing, of one school."""

from __future__ import annotations

import secrets
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.files import read_small, write_private

BYTES = 32


class SiteSecret:
    """Masks itself wherever it is printed."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "SiteSecret(…)"


def create(path: Path) -> None:
    """Make a new one (0600). Refuses to overwrite: every handle and template depends on it."""
    write_private(path, secrets.token_bytes(BYTES).hex().encode() + b"\n")


def load(path: Path) -> SiteSecret:
    """Read it. Refuses a file that everybody on the machine may read."""
    data = read_small(path, 256, missing="make it with `edgegate issuer init`, or copy this site's own")
    if path.stat().st_mode & 0o007:
        raise EdgeGateError("can be read by everybody on this machine", where=str(path), next=f"run `chmod 600 {path}`")
    try:
        value = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        value = b""
    if len(value) != BYTES:
        raise EdgeGateError(
            "is not a site secret (64 hexadecimal digits)", where=str(path), next="copy this site's own"
        )
    return SiteSecret(value)
