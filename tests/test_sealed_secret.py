"""The site secret as systemd hands it out, or sealed to this device: `vault.site_secret` names one file in any case."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgegate.errors import EdgeGateError
from edgegate.vault import secret
from tests.contracts.kit import said

needs_creds = pytest.mark.skipif(
    shutil.which("systemd-creds") is None or os.geteuid() != 0, reason="only root seals, with systemd-creds"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A site secret of its own."""
    secret.create(tmp_path / "site.key")
    return tmp_path / "site.key"


def test_a_credential_comes_first(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the service the file itself may be unreadable: what counts is systemd's copy of the same name."""
    (tmp_path / "credentials").mkdir()
    secret.create(tmp_path / "credentials" / "site.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert secret.load(tmp_path / "credentials" / "site.key").value == secret.load(path).value
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret.load(tmp_path / "credentials" / "site.key").value == secret.load(path).value
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert secret.load(tmp_path / "credentials" / "site.key").value != secret.load(path).value


@needs_creds
def test_root_opens_what_is_sealed(path: Path) -> None:
    """The commands of the office work on a sealed gate; nobody makes a second secret over the first."""
    value = secret.load(path).value
    command = ("systemd-creds", "encrypt", "--with-key=host", "--name=site.key", str(path), str(secret.sealed(path)))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"systemd-creds cannot seal here: {done.stderr.strip()}")
    path.unlink()
    assert value == secret.load(path).value
    with pytest.raises(EdgeGateError) as refused:
        secret.create(path)
    assert "sealed to this device" in said(refused.value)


def test_what_does_not_open_is_one_line(path: Path) -> None:
    """Another device's, or damaged: where, and what to do."""
    path.unlink()
    secret.sealed(path).write_bytes(b"not a credential")
    with pytest.raises(EdgeGateError) as refused:
        secret.load(path)
    assert f"{path}.cred: does not open here" in said(refused.value)
