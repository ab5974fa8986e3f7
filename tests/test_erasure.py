"""Erasing is believed when nothing is found any more, in any file; and only then is there a receipt."""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgegate import erasure
from edgegate.device_key import DeviceKey
from edgegate.erasure import Forgotten, Receipt, check, forget
from edgegate.errors import DiskFull, EdgeGateError
from edgegate.model import Credential
from edgegate.stores import Erased
from edgegate.traces import Traces
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import CONSENT, DAY_S, NOW, PACK, SECRET, card_number, credential, said, template

SIGNER = DeviceKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
LAPSING = replace(CONSENT, expires=NOW + DAY_S)
EVERYWHERE = pytest.mark.parametrize("dimensions", [128, 256, 512])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state directory: vault, a journal of some kind, a file of another's."""
    folder = tmp_path / "state"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "notes.txt").write_text("nothing\n", "utf-8")
    return folder


@pytest.fixture
def vault(folder: Path) -> Iterator[SqliteVault]:
    """An empty vault, open as the daemon has it."""
    with closing(SqliteVault(folder / "vault.db", SECRET, create=True)) as store:
        yield store


def enrol(vault: SqliteVault, numbers: range, dimensions: int = 128) -> list[bytes]:
    """So many volunteers; every third is on for long."""
    for number in numbers:
        vault.enrol(
            credential(number),
            card_number=card_number(number),
            template=template(number, dimensions),
            consent=LAPSING if number % 3 else CONSENT,
        )
    return [vault.handle_of(credential(number).badge_id) for number in numbers]


def forgotten(vault: SqliteVault, folder: Path, change: Callable[[], Erased]) -> Forgotten:
    return forget(change, [folder], compact=vault.compact)


ACTS: dict[str, Callable[[SqliteVault, bytes], Erased]] = {
    "withdraw": lambda vault, handle: vault.withdraw(handle),
    "revoke": lambda vault, handle: vault.revoke(handle),
    "erase": lambda vault, handle: vault.erase(handle),
    "lapse": lambda vault, handle: vault.purge(NOW + DAY_S),
    "expire": lambda vault, handle: vault.purge(credential().expires),
    "everything": lambda vault, handle: vault.erase_all(),
    "renew": lambda vault, handle: vault.enrol(
        credential(99), card_number="", template=template(), consent=CONSENT, replaces=handle
    ),
}


@EVERYWHERE
@pytest.mark.parametrize("act", ACTS)
def test_nothing_of_it_is_found_and_there_is_a_receipt(
    act: str, dimensions: int, vault: SqliteVault, folder: Path
) -> None:
    """While the daemon has the vault open: every file is read, none holds 16 bytes of what was in those rows."""
    handles = enrol(vault, range(1, 9), dimensions)
    with closing(SqliteVault(folder / "vault.db", SECRET)) as office:
        done = forgotten(office, folder, lambda: ACTS[act](office, handles[0]))
    assert done.erased.rows >= 1
    assert () == done.found
    assert done.unread is None
    assert len([path for path in folder.rglob("*") if path.is_file()]) == done.files
    assert done.receipt(act, at=NOW, signer=SIGNER).text.startswith("edgegate receipt 1\n")
    assert [] == check(done.erased, [folder])


@EVERYWHERE
def test_what_is_to_be_erased_is_found_before(dimensions: int, vault: SqliteVault, folder: Path) -> None:
    """The search is no formality: whole or over several pages, each trace is seen where it lies."""
    handles = enrol(vault, range(1, 5), dimensions)
    shutil.copytree(folder, folder.parent / "before")
    traces = vault.erase(handles[0]).traces
    assert 3 == len(traces)  # ciphertext, card number, the code over the row
    for trace in traces:
        for piece in (trace, trace[:16], trace[-16:], trace[5:21]):
            assert Traces([piece]).inside(folder.parent / "before" / "vault.db-wal")
            assert [] == check(Erased(1, (piece,)), [folder])


def leave_between_rows(path: Path, piece: bytes) -> None:
    """Put bytes where SQLite puts none but forgets some at times: between the directory of a page and its rows."""
    data = bytearray(path.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    for start in range(page, len(data), page):
        kind, rows = data[start], int.from_bytes(data[start + 3 : start + 5], "big")
        free, first = start + 8 + 2 * rows, start + int.from_bytes(data[start + 5 : start + 7], "big")
        if kind == 10 and rows and free + len(piece) <= first:
            data[free : free + len(piece)] = piece
            path.write_bytes(data)
            return
    raise AssertionError("no page has room between its rows")


@pytest.mark.parametrize("written_anew", [True, False])
def test_pieces_between_rows_are_gone_too(written_anew: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SQLite overwrites is not all: rearranging pages, it leaves pieces of rows. They are found while the file is
    not written anew, and gone when it is, as the vault does by itself."""
    path = folder / "vault.db"
    with closing(SqliteVault(path, SECRET, create=True)) as store:
        handles = enrol(store, range(9))
    with closing(sqlite3.connect(path)) as db:
        (sealed,) = db.execute("SELECT sealed FROM badge WHERE handle = ?", (handles[0],)).fetchone()
    leave_between_rows(path, sealed[40:60])
    if not written_anew:
        monkeypatch.setattr(SqliteVault, "compact", lambda self: None)
    with closing(SqliteVault(path, SECRET)) as store:
        erased = store.erase(handles[0])
        assert sealed in erased.traces
        assert ([] if written_anew else [path]) == check(erased, [folder])
        assert template(1).vector.tolist() == store.unseal(credential(1), PACK).take().vector.tolist()
    with closing(sqlite3.connect(path)) as db:
        assert [("ok",)] == db.execute("PRAGMA integrity_check").fetchall()


@pytest.mark.parametrize("then", ["start", "housekeeping", "another change"])
def test_what_was_not_overwritten_is_overwritten_later(
    then: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, or without room, between forgetting and overwriting: whoever comes next finishes it."""
    path = folder / "vault.db"
    with closing(SqliteVault(path, SECRET, create=True)) as store:
        handles = enrol(store, range(1, 9))
    with closing(sqlite3.connect(path)) as db:
        (sealed,) = db.execute("SELECT sealed FROM badge WHERE handle = ?", (handles[0],)).fetchone()
    leave_between_rows(path, sealed[40:60])

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    store = SqliteVault(path, SECRET)
    with monkeypatch.context() as patched:
        patched.setattr(SqliteVault, "_overwrite", killed)
        with pytest.raises(KeyboardInterrupt):
            store.withdraw(handles[0])
    assert path in check(Erased(1, (sealed,)), [folder])
    if then == "start":
        store.close()
        store = SqliteVault(path, SECRET)
    elif then == "housekeeping":
        assert Erased(0) == store.purge(NOW)
    else:
        store.withdraw(handles[1])
    with closing(store):
        assert [] == check(Erased(1, (sealed,)), [folder])
        before = path.read_bytes()
        assert Erased(0) == store.purge(NOW)
        assert before == path.read_bytes()  # once is enough


def test_a_school_year_of_erasures_leaves_nothing(vault: SqliteVault, folder: Path) -> None:
    """One by one and many at once, in a vault of many pages: not a piece of any of them."""
    handles = enrol(vault, range(200))
    for number, act in zip(range(0, 120, 2), (vault.withdraw, vault.revoke, vault.erase) * 20, strict=True):
        assert [] == check(act(handles[number]), [folder])
    for now in (NOW + DAY_S, CONSENT.expires, credential().expires):
        erased = vault.purge(now)
        assert erased.rows > 0
        assert [] == check(erased, [folder])
    assert [] == vault.entries()


@pytest.mark.parametrize(
    "where", ["vault.db.bak", ".vault.db.part", "deep/er/before-upgrade", "vault.db-journal", "picture.png"]
)
def test_a_copy_of_whatever_name_is_found(where: str, vault: SqliteVault, folder: Path) -> None:
    """What an upgrade, an editor or a careful person left: no receipt until it is gone, and the line names it."""
    handles = enrol(vault, range(3))
    with closing(sqlite3.connect(folder / "vault.db")) as old, closing(sqlite3.connect(folder / where)) as new:
        old.backup(new)
    done = forgotten(vault, folder, lambda: vault.erase(handles[0]))
    assert (folder / where,) == done.found
    with pytest.raises(EdgeGateError) as caught:
        done.receipt("badge erased", at=NOW, signer=SIGNER)
    assert str(folder / where) in said(caught.value)
    (folder / where).unlink()
    assert [] == check(done.erased, [folder])


def test_a_copy_behind_a_link_is_found_once(vault: SqliteVault, folder: Path, tmp_path: Path) -> None:
    """A folder moved to another disk is looked into; a link in a circle, or to nowhere, does no harm."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    handles = enrol(vault, range(3))
    shutil.copy(folder / "vault.db-wal", elsewhere / "copy")
    for name, to in {"away": elsewhere, "back": folder, "nowhere": folder / "gone", "same": elsewhere / "copy"}.items():
        (folder / name).symlink_to(to)
    os.mkfifo(folder / "pipe")
    done = forgotten(vault, folder, lambda: vault.withdraw(handles[0]))
    assert 1 == len(done.found)
    assert done.found[0].samefile(elsewhere / "copy")
    assert done.unread is None


def test_each_file_is_read_once(vault: SqliteVault, folder: Path) -> None:
    """Vault and journal usually share a folder."""
    handles = enrol(vault, range(2))
    again = [folder, folder, folder / "deep", folder.parent / "state"]
    done = forget(lambda: vault.withdraw(handles[0]), again, compact=vault.compact)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == done.files


def test_a_reader_that_holds_the_log_back_is_told(vault: SqliteVault, folder: Path) -> None:
    """What another process still reads cannot be overwritten: erased all the same, no receipt; later there is one."""
    handles = enrol(vault, range(3))
    vault._db.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(folder / "vault.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM badge").fetchone()
        done = forgotten(vault, folder, lambda: vault.erase(handles[0]))
        assert done.found
        assert {"vault.db", "vault.db-wal"} >= {path.name for path in done.found}
        with pytest.raises(EdgeGateError) as caught:
            done.receipt("badge erased", at=NOW, signer=SIGNER)
        assert "still holds" in said(caught.value)
    vault.purge(NOW)
    assert [] == check(done.erased, [folder])
    again = forget(lambda: done.erased, [folder], compact=vault.compact)
    assert () == again.found
    again.receipt("badge erased", at=NOW, signer=SIGNER)


def test_what_fails_afterwards_does_not_undo_it(vault: SqliteVault, folder: Path) -> None:
    """No room to write the file anew: the change stands, and what is left is told; a change that fails is not made."""
    handles = enrol(vault, range(2))
    (folder / "copy").write_bytes((folder / "vault.db-wal").read_bytes())

    def full() -> None:
        raise DiskFull("no space left to write")

    done = forget(lambda: vault.erase(handles[0]), [folder], compact=full)
    assert (folder / "copy",) == done.found
    with pytest.raises(EdgeGateError):
        forget(lambda: vault.erase(bytes(32)), [folder], compact=vault.compact)


@contextmanager
def nobody() -> Iterator[None]:
    """Not root for a while, whom nothing is forbidden."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_read_is_told(what: str) -> None:
    """Nobody knows what is in it: no receipt, and the line says which file and what to do."""
    erased = Erased(1, (bytes(range(32)),))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "folder").mkdir()
        (folder / "file").write_bytes(b"something")
        (folder / what).chmod(0)
        with nobody():
            done = forget(lambda: erased, [folder], compact=lambda: None)
            with pytest.raises(EdgeGateError) as checked:
                check(erased, [folder])
        (folder / what).chmod(0o700)
    with pytest.raises(EdgeGateError) as refused:
        done.receipt("badge erased", at=NOW, signer=SIGNER)
    for caught in (checked, refused):
        assert f"{folder / what}: cannot be read" in said(caught.value)


def test_a_folder_that_is_not_there_is_told(vault: SqliteVault, folder: Path) -> None:
    """A wrong path in the configuration must not look like a clean one."""
    handles = enrol(vault, range(2))
    done = forget(lambda: vault.erase(handles[0]), [folder, folder / "gone"], compact=vault.compact)
    assert 1 == done.erased.rows
    with pytest.raises(EdgeGateError) as caught:
        done.receipt("badge erased", at=NOW, signer=SIGNER)
    assert f"{folder / 'gone'}: vanished" in said(caught.value)


def test_a_file_that_vanishes_is_looked_for_under_its_new_name(
    vault: SqliteVault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed between listing and reading: all is read again. When they come and go without end, that is told."""
    handles = enrol(vault, range(3))
    copy, listed = folder / "copy.0", 0
    shutil.copy(folder / "vault.db-wal", copy)

    class Renaming(Traces):
        """Files of this folder change their names while they are about to be read."""

        def inside(self, path: Path) -> bool:
            nonlocal copy, listed
            if path == copy and listed < limit:
                listed += 1
                copy = path.rename(path.with_suffix(f".{listed}"))
            return super().inside(path)

    monkeypatch.setattr(erasure, "Traces", Renaming)
    limit = 2
    done = forgotten(vault, folder, lambda: vault.erase(handles[0]))
    assert ((copy,), None) == (done.found, done.unread)
    limit, listed = 99, 0
    done = forgotten(vault, folder, lambda: vault.erase(handles[1]))
    with pytest.raises(EdgeGateError) as caught:
        done.receipt("badge erased", at=NOW, signer=SIGNER)
    assert "vanished" in said(caught.value)


def receipt(vault: SqliteVault, folder: Path) -> tuple[bytes, Erased, Receipt]:
    """Of an erasure: the handle, what was erased, the receipt."""
    (handle,) = enrol(vault, range(1, 2))
    done = forgotten(vault, folder, lambda: vault.erase(handle))
    return handle, done.erased, done.receipt("badge erased", at=NOW, signer=SIGNER, handle=handle)


def test_a_receipt_says_what_was_looked_for_and_where(vault: SqliteVault, folder: Path) -> None:
    """What, when, which device, how many files; of the badge twelve digits of its handle; what it does not cover."""
    handle, erased, made = receipt(vault, folder)
    kind, *lines = made.text.splitlines()
    assert "edgegate receipt 1" == kind
    said = dict(line.split(": ", 1) for line in lines)
    assert "badge erased" == said["what"]
    assert "2026-09-21T14:13:20Z" == said["at"]
    assert (handle.hex()[:12], "1", SIGNER.name, str(folder)) == tuple(
        said[name] for name in ("badge", "rows", "device", "folder")
    )
    assert str(len([path for path in folder.rglob("*") if path.is_file()])) == said["files read"]
    assert "memory card" in said["not covered"]
    shown = f"{made}{made!r}"
    assert handle.hex()[:13] not in shown
    assert not any(trace.hex() in shown for trace in erased.traces)
    assert made.text.endswith("\n")


def test_anybody_can_check_a_receipt_without_edgegate(vault: SqliteVault, folder: Path, tmp_path: Path) -> None:
    """sed, base64 and openssl, with the device's public key; one letter changed, or another device's, and it fails."""
    _, _, made = receipt(vault, folder)
    commands = (
        "sed '/^signature: /d' receipt.txt > message && "
        "sed -n 's/^signature: //p' receipt.txt | base64 -d > signature && "
        "openssl pkeyutl -verify -pubin -inkey device.pub -rawin -in message -sigfile signature"
    )
    (tmp_path / "device.pub").write_text(SIGNER.pem, "ascii")

    def verified() -> bool:
        done = subprocess.run(["sh", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode == 0 and "Verified Successfully" in done.stdout

    (tmp_path / "receipt.txt").write_text(str(made), "utf-8")
    assert verified()
    (tmp_path / "receipt.txt").write_text(str(made).replace("rows: 1", "rows: 2"), "utf-8")
    assert not verified()
    (tmp_path / "receipt.txt").write_text(str(made), "utf-8")
    (tmp_path / "device.pub").write_text(DeviceKey(Ed25519PrivateKey.generate()).pem, "ascii")
    assert not verified()


def test_a_receipt_is_one_line_a_fact(vault: SqliteVault, folder: Path) -> None:
    """A folder's name cannot forge a line of it."""
    odd = folder / "x\nfiles read: 999"
    odd.mkdir()
    handles = enrol(vault, range(2))
    done = forget(lambda: vault.erase(handles[0]), [folder, odd], compact=vault.compact)
    made = done.receipt("badge erased", at=NOW, signer=SIGNER)
    assert 1 == len([line for line in made.text.splitlines() if line.startswith("files read: ")])
    assert SIGNER.verifies(made.text.encode("utf-8"), made.signature)
    assert base64.b64encode(made.signature).decode() in str(made)


def test_there_is_no_receipt_for_nothing(vault: SqliteVault, folder: Path) -> None:
    """A badge that had nothing to withdraw, an empty vault: nothing was erased, and nothing is said to be."""
    vault.enrol(credential(), card_number=card_number(), template=None, consent=None)
    handle = vault.handle_of(credential().badge_id)
    for change in (lambda: vault.withdraw(handle), lambda: vault.purge(NOW)):
        done = forgotten(vault, folder, change)
        with pytest.raises(EdgeGateError) as caught:
            done.receipt("consent withdrawn", at=NOW, signer=SIGNER)
        assert "nothing was there to erase" in said(caught.value)


def test_an_on_badge_template_leaves_nothing_to_find(vault: SqliteVault, folder: Path) -> None:
    """The vault never held it; its row's code is what is looked for."""
    bare = credential(keyed=False)
    badge: Credential = replace(bare, sealed_template=vault.seal_for_badge(template(), bare.badge_id))
    vault.enrol(badge, card_number=card_number(), template=template(), consent=CONSENT)
    assert badge.sealed_template is not None
    assert [] == check(Erased(0, (badge.sealed_template,)), [folder])
    assert PACK == vault.standing(badge).pack_id
    done = forgotten(vault, folder, lambda: vault.withdraw(vault.handle_of(badge.badge_id)))
    assert [32] == [len(trace) for trace in done.erased.traces]
    done.receipt("consent withdrawn", at=NOW, signer=SIGNER)
