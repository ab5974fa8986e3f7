"""What these suites and the unit tests share: keys, badges and templates of known content, and a second process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSEKey
from cwt.cose_key_interface import COSEKeyInterface

from edgegate.badges.credential import CredentialBook, encode
from edgegate.model import Consent, Credential, Template
from edgegate.vault.secret import SiteSecret

ROOT = Path(__file__).parents[2]
NOW = 1_790_000_000
DAY_S = 86_400
YEAR_S = 365 * DAY_S
PACK = "test/0123456789ab"
SECRET = SiteSecret(hashlib.sha256(b"a site").digest())
CONSENT = Consent("guardian", "2026-09", NOW, NOW + 90 * DAY_S, "fr")


@dataclass(frozen=True)
class Keys:
    """An issuer's pair."""

    private: COSEKeyInterface
    public: COSEKeyInterface
    kid: bytes

    def book(self) -> CredentialBook:
        """The gate that trusts this issuer alone."""
        return CredentialBook({self.kid: self.public})

    def sign(self, credential: Credential) -> str:
        return encode(credential, self.private)


def keys(name: str = "school", kid: bytes | None = None) -> Keys:
    """The pair of this name: always the same. `kid` puts another key id on it."""
    raw = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    kid = kid or hashlib.sha256(raw.public_key().public_bytes_raw()).digest()[:8]
    private = raw.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = raw.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Keys(COSEKey.from_pem(private, kid=kid), COSEKey.from_pem(public, kid=kid), kid)


def credential(number: int = 0, *, expires: int = NOW + YEAR_S, keyed: bool = True) -> Credential:
    """Badge `number`: always the same id and key, so that another process can make it too."""
    badge_id = hashlib.sha256(f"badge {number}".encode()).digest()[:16]
    key = hashlib.sha256(f"key {number}".encode()).digest() if keyed else None
    return Credential("School", badge_id, NOW, expires, key)


def template(number: int = 0, dimensions: int = 128) -> Template:
    """The template of badge `number`, of unit length."""
    vector = np.random.default_rng(number).normal(size=dimensions)
    return Template(np.asarray(vector / np.linalg.norm(vector), np.float32), PACK)


def card_number(number: int = 0) -> str:
    """Some card number for badge `number`; a vault does not judge its check character."""
    return f"{number:08d}"


def said(error: BaseException) -> str:
    """The error's text; fails when it is not one line, or says nothing."""
    text = str(error)
    assert text.strip()
    assert len(text.splitlines()) == 1, text
    return text


def files(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def holding(folder: Path, secret: bytes) -> list[str]:
    """The files that hold these bytes, raw or as hexadecimal digits."""
    forms = (secret, secret.hex().encode(), secret.hex().upper().encode())
    return [name for name, data in files(folder).items() if any(form in data for form in forms)]


@contextmanager
def child(*args: str | Path | int) -> Iterator[subprocess.Popen[str]]:
    """A second process at `child.main`, waiting for the word to begin; see `begin`. It never outlives the test."""
    command = [sys.executable, "-m", "tests.contracts.child", *map(str, args)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert line(process) == "ready"
            yield process
        finally:
            process.kill()


def begin(*processes: subprocess.Popen[str]) -> None:
    """Let children that are ready go, as nearly at once as can be."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def line(process: subprocess.Popen[str]) -> str:
    """The next line a child says; empty when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def lines(process: subprocess.Popen[str]) -> list[str]:
    """All that a child still says; a line cut short by its end is none."""
    assert process.stdout is not None
    return [text.rstrip("\n") for text in process.stdout if text.endswith("\n")]
