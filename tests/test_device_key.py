"""The device's own key: private, made once, handed over by systemd, and checked by others with openssl alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from edgegate import device_key
from edgegate.errors import EdgeGateError
from tests.commands import Cli, good, refusal
from tests.contracts.kit import files, said

MESSAGE = b"edgegate receipt 1\nrows: 3\n"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="this machine has no openssl")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A device's key."""
    assert device_key.make(tmp_path / "device.key")
    return tmp_path / "device.key"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def private_pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, word: bytes | None = None) -> bytes:
    shield = serialization.BestAvailableEncryption(word) if word else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, shield)


def test_it_signs_and_the_public_part_verifies(path: Path) -> None:
    """Exactly this message, by exactly this device."""
    key, public = device_key.load(path), device_key.load_public(path)
    signature = key.sign(MESSAGE)
    assert (64, 16, key.name) == (len(signature), len(key.name), public.name)
    for verifier in (key, public):
        assert verifier.verifies(MESSAGE, signature)
        assert not verifier.verifies(MESSAGE + b"\n", signature)
        assert not verifier.verifies(MESSAGE, signature[:-1])
        assert not verifier.verifies(MESSAGE, bytes([signature[0] ^ 1]) + signature[1:])
    device_key.make(path.with_name("other.key"))
    assert not device_key.load_public(path.with_name("other.key")).verifies(MESSAGE, signature)


def test_the_private_part_is_private(path: Path) -> None:
    """0600, and in no repr; the public part is for everybody."""
    assert {"device.key": 0o600, "device.pub": 0o644} == {name: mode(path.parent / name) for name in files(path.parent)}
    key = device_key.load(path)
    assert f"DeviceKey({key.name})" == repr(key)
    assert b"PRIVATE" not in path.with_suffix(".pub").read_bytes()


def test_it_is_made_once(path: Path) -> None:
    """A second time nothing changes; a public part that was lost is made again, the very same."""
    before = files(path.parent)
    assert not device_key.make(path)
    assert before == files(path.parent)
    path.with_suffix(".pub").unlink()
    assert device_key.make(path)
    assert before == files(path.parent)


def test_a_public_part_alone_is_not_given_another_key(path: Path) -> None:
    """What was signed before is checked with it."""
    path.unlink()
    before = files(path.parent)
    with pytest.raises(EdgeGateError) as caught:
        device_key.make(path)
    assert "its private part device.key is not" in said(caught.value)
    assert before == files(path.parent)


def test_parts_that_do_not_belong_together_are_told(path: Path) -> None:
    """As after a backup of which only one file was put back."""
    device_key.make(path.with_name("other.key"))
    path.with_name("other.pub").replace(path.with_suffix(".pub"))
    before = files(path.parent)
    with pytest.raises(EdgeGateError) as caught:
        device_key.make(path)
    assert "device.pub: is not the public part of device.key" in said(caught.value)
    assert before == files(path.parent)


def test_one_file_for_both_is_refused(tmp_path: Path) -> None:
    """`gate.device_key: device.pub` would put the private part into what is given away."""
    with pytest.raises(EdgeGateError) as caught:
        device_key.make(tmp_path / "device.pub")
    said(caught.value)
    assert {} == files(tmp_path)


NO_KEYS = {
    "text": b"no key",
    "noise": bytes(range(256)),
    "large": b"-" * 10_000,
    "cut": private_pem(ed25519.Ed25519PrivateKey.generate())[:60],
    "rsa": private_pem(rsa.generate_private_key(65537, 2048)),
    "with a passphrase": private_pem(ed25519.Ed25519PrivateKey.generate(), b"word"),
}


@pytest.mark.parametrize("data", NO_KEYS.values(), ids=NO_KEYS)
def test_a_file_that_is_no_device_key_is_one_line(path: Path, data: bytes) -> None:
    """The wrong file under the right name, in either place."""
    path.write_bytes(data)
    path.with_suffix(".pub").write_bytes(data)
    for look in (device_key.load, device_key.load_public, device_key.make):
        with pytest.raises(EdgeGateError) as caught:
            look(path)
        assert str(path.parent) in said(caught.value)
        assert not isinstance(caught.value, device_key.DeviceKeyMissing)


def test_a_key_that_everybody_may_read_is_refused(path: Path) -> None:
    """Whoever reads it signs."""
    path.chmod(0o604)
    with pytest.raises(EdgeGateError) as caught:
        device_key.load(path)
    assert f"chmod 600 {path}" in said(caught.value)


def test_a_missing_key_is_an_error_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, or what the unit hands over in place of one: a gate runs without, and can tell the two apart."""
    credentials = path.parent / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert device_key.load(path)
    for handed in (b"", device_key.NONE, device_key.NONE + b"\n"):
        (credentials / "device.key").write_bytes(handed)
        with pytest.raises(device_key.DeviceKeyMissing) as caught:
            device_key.load(path)
        assert "edgegate device init" in said(caught.value)
    device_key.make(credentials / "other.key")
    (credentials / "other.key").replace(credentials / "device.key")
    assert device_key.load_public(credentials / "other.key").name == device_key.load(path).name
    (credentials / "device.key").unlink()
    path.unlink()
    path.with_suffix(".pub").unlink()
    for look in (device_key.load, device_key.load_public):
        with pytest.raises(device_key.DeviceKeyMissing) as caught:
            look(path)
        assert "edgegate device init" in said(caught.value)


def test_the_installer_makes_it_from_outside(tmp_path: Path) -> None:
    """`python -m edgegate.device_key`: made, there already, or one line and exit code 2."""
    path = tmp_path / "device.key"

    def run() -> tuple[int, str, str]:
        command = [sys.executable, "-m", "edgegate.device_key", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert (0, "made\n", "") == run()
    assert (0, "there already\n", "") == run()
    path.unlink()
    code, out, err = run()
    assert (2, "", 1) == (code, out, len(err.splitlines()))


@needs_openssl
def test_openssl_verifies_and_names_it(path: Path, cli: Cli) -> None:
    """Without a line of our code: the signature holds, a changed message does not, and the name is the key's hash."""
    (path.parent / "config.yaml").write_text("gate: {name: x}\n", "utf-8")
    shown = json.loads(good(cli("device", "show", "--json", cwd=path.parent)))
    public = Path(shown["public_key"])
    assert public.read_text("ascii") == shown["pem"]
    (path.parent / "message").write_bytes(MESSAGE)
    (path.parent / "signature").write_bytes(device_key.load(path).sign(MESSAGE))
    check = ("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(public))
    command = [*check, "-in", "message", "-sigfile", "signature"]
    assert 0 == subprocess.run(command, cwd=path.parent, capture_output=True, check=False).returncode
    (path.parent / "message").write_bytes(MESSAGE.replace(b"3", b"4"))
    assert 0 != subprocess.run(command, cwd=path.parent, capture_output=True, check=False).returncode
    convert = ["openssl", "pkey", "-pubin", "-in", str(public), "-outform", "DER"]
    der = subprocess.run(convert, capture_output=True, check=True).stdout
    assert shown["device"] == hashlib.sha256(der[-32:]).hexdigest()[:16]


def test_device_init_and_show(cli: Cli, tmp_path: Path) -> None:
    """For a gate that only gets the site's keys by copy."""
    (tmp_path / "config.yaml").write_text("gate: {device_key: keys/own.key}\n", "utf-8")
    assert "own.pub: does not exist" in refusal(cli("device", "show", cwd=tmp_path))
    assert "keys" in refusal(cli("device", "init"))
    (tmp_path / "keys").mkdir()
    first = good(cli("device", "init"))
    name = device_key.load(tmp_path / "keys/own.key").name
    assert f"device {name}: made, public key {tmp_path}/keys/own.pub\n" == first.replace(
        "key keys", f"key {tmp_path}/keys"
    )
    assert "there already" in good(cli("device", "init"))
    head, *pem = good(cli("device", "show")).splitlines()
    assert head.startswith(f"device {name}: public key ")
    assert (tmp_path / "keys/own.pub").read_text("ascii").splitlines() == pem


def test_issuer_init_makes_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    """One command for all keys of a first gate; a device key that is there stays; a mistake leaves nothing behind."""
    (tmp_path / "config.yaml").write_text("badges: {issuers: [none/school.pub]}\n", "utf-8")
    refusal(cli("issuer", "init", "--no-passphrase", cwd=tmp_path))
    assert {"config.yaml"} == set(files(tmp_path))
    (tmp_path / "none").mkdir()
    assert "device" in good(cli("issuer", "init", "--no-passphrase"))
    key = device_key.load(tmp_path / "device.key")
    device_key.check_public(tmp_path / "device.key", key)
    (tmp_path / "config.yaml").write_text("badges: {issuers: [second.pub]}\n", "utf-8")
    assert f"device {key.name} kept" in good(cli("issuer", "init", "--no-passphrase"))
    (tmp_path / "config.yaml").write_text("gate: {device_key: a.key}\nbadges: {issuers: [a.pub]}\n", "utf-8")
    assert "give badges.issuers or gate.device_key another name" in refusal(cli("issuer", "init", "--no-passphrase"))
