"""Bad configurations, stores, keys, names and outputs: one line and exit code 2, or amber; nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from edgegate.adapters import open_journal
from edgegate.stores import Entry
from tests.bad_input import NOISE, held_up, played, record, refused
from tests.commands import Cli
from tests.conftest import Site, blank

pytestmark = pytest.mark.usefixtures("same_signal_handlers")


@pytest.mark.parametrize("text", ["gate: [", "\x00\x01", "just words", "", "gate:\n\tname: x", "[" * 500])
def test_a_configuration_that_is_not_yaml_is_one_line(site: Site, cli: Cli, text: str) -> None:
    """The daemon and the check say the same one line."""
    path = site.folder / "config.yaml"
    path.write_text(text)
    line = refused(site, cli, "run", "--until-end", says="config.yaml")
    assert line == refused(site, cli, "check", says="config.yaml")


def make_foreign(path: Path) -> None:
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE recipe (name TEXT)")
    db.close()


def make_newer(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


def make_text(path: Path) -> None:
    path.write_text("dear diary\n" * 99)


def make_noise(path: Path) -> None:
    path.write_bytes(NOISE)


def make_short(path: Path) -> None:
    os.truncate(path, 700)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "text": (make_text, "cannot be used (file is not a database)"),
    "noise": (make_noise, "cannot be used (file is not a database)"),
    "head of it": (make_short, "cannot be used ("),
    "another program's": (make_foreign, "is a database of another kind"),
    "newer": (make_newer, "was written by a newer EdgeGate (format 99, this one knows"),
    "a folder": (make_folder, "cannot be used (unable to open database file)"),
}


@pytest.mark.parametrize("store", ["vault", "journal"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_store_that_is_none_is_one_line(site: Site, cli: Cli, store: str, kind: str) -> None:
    """A vault or journal that is something else: every command that needs it says so and leaves it as it is."""
    site.enrol(None, badge="badge.png")
    record(site, [held_up(site.folder / "badge.png")])
    played(site, cli)
    path = site.folder / f"{store}.db"
    damage, says = DAMAGE[kind]
    damage(path)
    commands = {
        "vault": (["enroll", "list"], ["enroll", "add", "--diary", "--badge-out", "b.png"], ["lockdown", "status"]),
        "journal": (["journal", "tail"], ["journal", "export", "--csv", "-"], ["journal", "verify"]),
    }[store]
    for command in (["run", "--until-end"], *commands):
        refused(site, cli, *command, says=f"{path}: {says}")
    assert not (site.folder / "b.png").exists()


@pytest.mark.parametrize("store", ["vault", "journal"])
def test_a_damaged_store_is_told_or_amber(site: Site, cli: Cli, store: str) -> None:
    """Pages of the file are overwritten with noise: one line or amber, and the file stays as it was found."""
    site.enrol("ana", badge="badge.png")
    record(site, [held_up(site.folder / "badge.png", "ana")] * 6)
    with closing(open_journal(site.config, create=True)) as journal:
        journal.append(Entry(0, "start"))
    path = site.folder / f"{store}.db"
    pages = path.stat().st_size // 4096
    assert pages > 2
    path.write_bytes(path.read_bytes()[:4096] + NOISE * (pages - 1))
    before = path.read_bytes()
    code, out, err = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert "Traceback" not in err
    assert '"granted"' not in out
    if code == 0:
        assert '"out_of_order"' in out
    else:
        assert (2, 1) == (code, len(err.splitlines()))
    assert before == path.read_bytes()


def test_a_store_may_be_put_back(site: Site, cli: Cli) -> None:
    """After a mistake with the file, the old one works again as if nothing had happened."""
    handle = site.enrol("ana").handle.hex()
    record(site, [blank()])
    path = site.folder / "vault.db"
    shutil.copy(path, site.folder / "copy")
    path.write_text("oops")
    refused(site, cli, "run", "--until-end", says="file is not a database")
    (site.folder / "copy").replace(path)
    code, out, _ = cli("enroll", "list", "--json", cwd=site.folder)
    assert (0, [handle]) == (code, [entry["handle"] for entry in json.loads(out)])


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"ab" * 31, 0o600, "is not a site secret"),
        (b"ab" * 33, 0o600, "is not a site secret"),
        (b"xy" * 32, 0o600, "is not a site secret"),
        (b"", 0o600, "is not a site secret"),
        (NOISE, 0o600, "is larger than 256 bytes"),
        (NOISE[:64], 0o600, "is not a site secret"),
        (b"ab" * 32, 0o644, "can be read by everybody on this machine"),
        (b"ab" * 32, 0o606, "can be read by everybody on this machine"),
    ],
)
def test_a_bad_site_secret_is_one_line(site: Site, cli: Cli, content: bytes, mode: int, says: str) -> None:
    """A secret of the wrong length or kind, or open to all, is never used."""
    record(site, [blank()])
    site.enrol(None)
    key = site.folder / "site.key"
    key.write_bytes(content)
    key.chmod(mode)
    for command in (["run", "--until-end"], ["enroll", "list"], ["enroll", "add", "--diary", "--badge-out", "b.png"]):
        refused(site, cli, *command, says=f"{key}: {says}")
    assert not (site.folder / "b.png").exists()


def pem(public: bool) -> bytes:
    """Half of an RSA pair, as good as any key, but not ours."""
    key = generate_private_key(65537, 1024)
    if public:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_key().public_bytes(serialization.Encoding.PEM, form)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


@pytest.mark.parametrize(
    "content", [b"", b"words", NOISE, NOISE * 3, b"rsa"], ids=["empty", "text", "noise", "long", "rsa"]
)
def test_a_file_that_is_no_key_is_one_line(site: Site, cli: Cli, content: bytes) -> None:
    """Neither the public part at the gate nor the private one in the office takes another file for a key."""
    record(site, [blank()])
    public, private = site.folder / "issuer.pub", site.folder / "issuer.key"
    private.write_bytes(pem(public=False) if content == b"rsa" else content)
    refused(site, cli, "enroll", "add", "--diary", "--badge-out", "b.png", says=str(private))
    public.write_bytes(pem(public=True) if content == b"rsa" else content)
    refused(site, cli, "run", "--until-end", says=str(public))
    assert not (site.folder / "b.png").exists()


def test_files_that_are_not_there_or_folders_are_one_line(site: Site, cli: Cli) -> None:
    """A missing key or secret, and a folder in the place of each."""
    record(site, [blank()])
    for name in ("issuer.pub", "site.key"):
        path = site.folder / name
        path.rename(site.folder / "aside")
        refused(site, cli, "run", "--until-end", says=f"{path}: does not exist")
        path.mkdir()
        refused(site, cli, "run", "--until-end", says=f"{path}: cannot be read (Is a directory)")
        path.rmdir()
        (site.folder / "aside").rename(path)
    refused(site, cli, "run", "--until-end", "--events", ".", says=".: cannot be written (Is a directory)")
    site.configure(journal={"path": "none/journal.db"}, camera={"source": "frames:frames"})
    refused(site, cli, "run", "--until-end", says=f"{site.folder / 'none'}")


def test_events_that_cannot_be_written_do_not_stop_the_gate(site: Site, cli: Cli) -> None:
    """A full disk under the events' file: the gate plays on, records its decisions and ends well."""
    site.enrol(None, badge="badge.png")
    record(site, [held_up(site.folder / "badge.png")] * 3)
    assert (0, "", "") == cli("run", "--until-end", "--events", "/dev/full", cwd=site.folder)
    with closing(open_journal(site.config)) as journal:
        assert ["not_enrolled"] == [row.reason for row in journal.rows() if row.kind == "decision"]


def test_names_too_long_for_the_disk_are_one_line(site: Site, cli: Cli) -> None:
    """300 letters where a file's name belongs, on the command line or in the configuration."""
    name = "k" * 300
    site.enrol(None)
    record(site, [blank()])
    for command in (["enroll", "add", "--diary", "--badge-out"], ["enroll", "revoke"], ["models", "import"]):
        refused(site, cli, *command, f"{name}.png", says="File name too long")
    for section, key, value in (
        ("camera", "source", f"video:{name}"),
        ("camera", "source", f"frames:{name}"),
        ("vault", "path", name),
        ("vault", "site_secret", name),
        ("journal", "path", name),
        ("badges", "issuers", [name]),
        ("faces", "pack", f"./{name}"),
    ):
        site.configure(**({"camera": {"source": "frames:frames"}} | {section: {key: value}}))
        refused(site, cli, "run", "--until-end", says="File name too long")


def test_output_that_cannot_be_written_is_one_line(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind standard output: said in one line, not an internal error."""
    site.enrol(None)
    with suppress(OSError), Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        code, _, err = cli("enroll", "list", cwd=site.folder)
    assert (2, 1) == (code, len(err.splitlines())), err
    assert "No space left on device" in err
