"""The device's own key (Ed25519): it signs receipts, the journal's start and reports, and does nothing else.

Each signed message is plain text whose first line names its kind (`edgegate receipt 1`), so that no signature serves
for another kind. The public part lies beside the private one as `device.pub`; whoever has a copy of it checks with
`openssl pkeyutl -verify -rawin` what this device signed. Run as a program, this module makes the key where it is
missing: `python -m edgegate.device_key PATH`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edgegate.errors import EdgeGateError
from edgegate.files import exists, read_small, write_private

NAME_DIGITS = 16
MAKE = "make it with `edgegate device init`, for a service with `edgegate service install`"
NONE = b"none"
"""What the service is handed in place of a key that is not there (`SetCredential=` in its unit)."""
_MAX_PEM = 4096


class PublicKey:
    """What the device signed, this tells from what it did not."""

    __slots__ = ("_key", "name")

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.name = hashlib.sha256(key.public_bytes_raw()).hexdigest()[:NAME_DIGITS]
        """The first 8 bytes of the SHA-256 of the 32 bytes of the public key, hexadecimal."""

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Is this the device's signature (64 bytes) of exactly this message?"""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @property
    def pem(self) -> str:
        """As openssl(1) reads it."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class DeviceKey(PublicKey):
    """Port `Signer`."""

    __slots__ = ("_private",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        super().__init__(key.public_key())
        self._private = key

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032); the same message has the same signature each time."""
        return self._private.sign(message)


class DeviceKeyMissing(EdgeGateError):
    """There is no device key, or the service was handed none."""


def public_path(path: Path) -> Path:
    """`device.key` has its public part in `device.pub` beside it."""
    return path.with_suffix(".pub")


def make(path: Path) -> bool:
    """Make the pair, or the public part again where only that is missing. Returns whether anything was made.

    The private part is 0600, the public one 0644. Neither is ever overwritten. Raises EdgeGateError when a public
    part is there without its private one, or with another.
    """
    public = public_path(path)
    if public == path:
        raise EdgeGateError(
            "the device's private and public key would be one file",
            where=str(path),
            next="give gate.device_key a name that does not end in .pub",
        )
    if exists(path):
        key = _load(path)
        if exists(public):
            check_public(path, key)
            return False
    elif exists(public):
        raise EdgeGateError(
            f"is there, its private part {path.name} is not",
            where=str(public),
            next="put that back, or move this one away: what was signed with it is checked with it",
        )
    else:
        key = DeviceKey(Ed25519PrivateKey.generate())
        write_private(path, _private_pem(key))
    write_private(public, key.pem.encode("ascii"))
    public.chmod(0o644)
    return True


def load(path: Path) -> DeviceKey:
    """Read the private part. Refuses a file that everybody on the machine may read.

    A service gets it as systemd's credential of the same name (systemd.exec(5), `LoadCredential=`); its unit puts
    `none` there when there is no key. Raises DeviceKeyMissing then, EdgeGateError for a file that is no such key.
    """
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere")) / path.name
    return _load(credential if exists(credential) else path)


def load_public(path: Path) -> PublicKey:
    """The public part that belongs to the private key at `path`, which itself is not read."""
    public = public_path(path)
    if not exists(public):
        raise DeviceKeyMissing("does not exist", where=str(public), next=MAKE)
    pem = read_small(public, _MAX_PEM, missing=MAKE)
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise EdgeGateError("is not an Ed25519 public key", where=str(public), next="put back this device's own")
    return PublicKey(key)


def check_public(path: Path, key: DeviceKey) -> None:
    """Raises EdgeGateError when the public part beside `path` is missing or not that of `key`."""
    if load_public(path).name != key.name:
        raise EdgeGateError(
            f"is not the public part of {path.name}",
            where=str(public_path(path)),
            next="put back this device's own, or move it away and run `edgegate device init`",
        )


def _load(path: Path) -> DeviceKey:
    if not exists(path):
        raise DeviceKeyMissing("does not exist", where=str(path), next=MAKE)
    pem = read_small(path, _MAX_PEM, missing=MAKE)
    if pem.strip() in (b"", NONE):
        raise DeviceKeyMissing("holds no key", where=str(path), next=MAKE)
    if path.stat().st_mode & 0o007:
        raise EdgeGateError("can be read by everybody on this machine", where=str(path), next=f"run `chmod 600 {path}`")
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise EdgeGateError(
            "is not a device key (Ed25519, without a passphrase)", where=str(path), next="put back this device's own"
        )
    return DeviceKey(key)


def _private_pem(key: DeviceKey) -> bytes:
    return key._private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def main(argv: list[str]) -> int:
    """The program; its one argument is where the private part goes."""
    try:
        print("made" if make(Path(argv[0])) else "there already")
    except EdgeGateError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
