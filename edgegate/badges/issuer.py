"""Who may issue badges: an Ed25519 key pair. Gates hold the public part only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cwt import COSEKey
from cwt.cose_key_interface import COSEKeyInterface

from edgegate.badges.credential import MAX_ISSUER_CHARS, encode
from edgegate.errors import EdgeGateError
from edgegate.files import exists, read_small, write_private
from edgegate.model import Credential

KID_BYTES = 8
MAX_PASSPHRASE = 1023
"""What OpenSSL takes."""
_MAX_PEM = 8192
_NAME = "Issuer: "


@dataclass(frozen=True, slots=True)
class Issuer:
    """A private key, in memory for as long as badges are issued."""

    name: str
    _key: COSEKeyInterface = field(repr=False)

    def sign(self, credential: Credential) -> str:
        """The badge's text."""
        return encode(credential, self._key)


def private_path(public: Path) -> Path:
    """`issuer.pub` has its private part in `issuer.key` beside it."""
    return public.with_suffix(".key")


def create(public: Path, name: str, passphrase: bytes | None) -> str:
    """Make a pair. Refuses to overwrite either part. Returns the key id, hexadecimal."""
    if not 0 < len(name) <= MAX_ISSUER_CHARS or not name.isprintable():
        raise EdgeGateError("the issuer's name must have 1 to 64 printable characters", next="give a shorter --name")
    if passphrase and len(passphrase) > MAX_PASSPHRASE:
        raise EdgeGateError(f"the passphrase is longer than {MAX_PASSPHRASE} bytes", next="give a shorter one")
    for path in (public, private_path(public)):
        if exists(path):
            raise EdgeGateError(
                "exists already", where=str(path), next="badges signed with it still count; move it away first"
            )
    key = Ed25519PrivateKey.generate()
    shield = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, shield)
    write_private(private_path(public), f"{_NAME}{name}\n".encode() + pem)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        write_private(public, f"{_NAME}{name}\n".encode() + pem)
    except EdgeGateError:
        private_path(public).unlink(missing_ok=True)
        raise
    public.chmod(0o644)
    return _kid(key.public_key()).hex()


def load_private(public: Path, passphrase: bytes | None) -> Issuer:
    """The private key beside `public`. Raises EdgeGateError when it needs a passphrase, or another one."""
    path = private_path(public)
    pem = read_small(path, _MAX_PEM, missing="make it with `edgegate issuer init`, or enrol where it is kept")
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except TypeError:
        what = "needs no passphrase" if passphrase else "needs its passphrase"
        raise EdgeGateError(
            what, where=str(path), next="try again" + (" without one" if passphrase else " with it")
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        what = "does not open with this passphrase" if b"ENCRYPTED" in pem else "is not a private key"
        raise EdgeGateError(what, where=str(path), next="try again, or name the right issuer") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EdgeGateError("is not an Ed25519 key", where=str(path), next="make one with `edgegate issuer init`")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Issuer(_name(pem), COSEKey.from_pem(plain, kid=_kid(key.public_key())))


def is_encrypted(public: Path) -> bool:
    """Does the private part ask for a passphrase?"""
    return b"ENCRYPTED" in read_small(
        private_path(public), _MAX_PEM, missing="make it with `edgegate issuer init`, or enrol where it is kept"
    )


def load_public(paths: Iterable[Path]) -> dict[bytes, COSEKeyInterface]:
    """Key id to public key of every issuer. Raises EdgeGateError for the first that is none."""
    keys: dict[bytes, COSEKeyInterface] = {}
    for path in paths:
        pem = read_small(path, _MAX_PEM, missing="make the first with `edgegate issuer init`")
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise EdgeGateError(
                "is not an Ed25519 public key", where=str(path), next="name the issuer's .pub file in badges.issuers"
            )
        kid = _kid(key)
        keys[kid] = COSEKey.from_pem(
            key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), kid=kid
        )
    return keys


def _kid(key: Ed25519PublicKey) -> bytes:
    """First 8 bytes of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).digest()[:KID_BYTES]


def _name(pem: bytes) -> str:
    first = pem.partition(b"\n")[0].decode("utf-8", "replace")
    return first.removeprefix(_NAME).strip()[:MAX_ISSUER_CHARS] if first.startswith(_NAME) else "school"
