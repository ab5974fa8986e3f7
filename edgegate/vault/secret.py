"""The site secret: 32 random bytes that key the handles, and salt the sealing, of one school."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.files import exists, read_small, write_private

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
    if exists(sealed(path)):
        raise EdgeGateError(
            "exists already, sealed to this device", where=str(sealed(path)), next="keep it: it is read from there"
        )
    write_private(path, secrets.token_bytes(BYTES).hex().encode() + b"\n")


def load(path: Path) -> SiteSecret:
    """Read it. Refuses a file that everybody on the machine may read.

    A service gets it as systemd's credential of the same name, so that the file itself can stay root's alone, or
    lie on the disk encrypted only (systemd.exec(5), `LoadCredential=`).
    """
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere")) / path.name
    path = credential if exists(credential) else path
    if exists(sealed(path)) and not exists(path):
        return _value(path, _opened(sealed(path), path.name))
    data = read_small(path, 256, missing="make it with `edgegate issuer init`, or copy this site's own")
    if path.stat().st_mode & 0o007:
        raise EdgeGateError("can be read by everybody on this machine", where=str(path), next=f"run `chmod 600 {path}`")
    return _value(path, data)


def sealed(path: Path) -> Path:
    """Where the secret lies encrypted by systemd-creds(1) once it was sealed to this device."""
    return path.with_name(f"{path.name}.cred")


def _opened(path: Path, name: str) -> bytes:
    """What is sealed, for root on the device that sealed it."""
    command = ("systemd-creds", "decrypt", f"--name={name}", str(path), "-")
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=True).stdout  # noqa: S603 - no shell
    except (OSError, subprocess.SubprocessError):
        raise EdgeGateError(
            "does not open here", where=str(path), next="run this as root on the device that sealed it"
        ) from None


def _value(path: Path, data: bytes) -> SiteSecret:
    try:
        value = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        value = b""
    if len(value) != BYTES:
        raise EdgeGateError(
            "is not a site secret (64 hexadecimal digits)", where=str(path), next="copy this site's own"
        )
    return SiteSecret(value)
