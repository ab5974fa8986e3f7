"""Small files: private, whole or not at all; and the lock that keeps two daemons from one gate."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgegate.errors import EdgeGateError
from edgegate.files import only_one, read_small, write_private
from tests.contracts.kit import begin, child, files, line, said


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("data", [b"", b"key\n", bytes(100_000)])
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_private_file_is_its_owners_alone(data: bytes, mask: int, tmp_path: Path) -> None:
    """0600 whatever the process lets others do, whole, and nothing left beside it."""
    path = tmp_path / "key"
    before = os.umask(mask)
    try:
        write_private(path, data)
    finally:
        os.umask(before)
    assert 0o600 == mode(path)
    assert {"key": data} == files(tmp_path)


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    """The file that is there stays as it is, to the byte; `replace` replaces it, private again."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    with pytest.raises(EdgeGateError) as caught:
        write_private(path, b"new")
    assert str(path) in said(caught.value)
    assert {"key": b"old"} == files(tmp_path)
    write_private(path, b"new", replace=True)
    assert {"key": b"new"} == files(tmp_path)
    assert 0o600 == mode(path)


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    """What looks free but is taken by a dangling link is refused, and nothing appears behind it."""
    path = tmp_path / "key"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EdgeGateError) as caught:
        write_private(path, b"new")
    said(caught.value)
    assert path.is_symlink()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("where", ["missing/key", "file/key", "folder", "k" * 300])
@pytest.mark.parametrize("replace", [False, True])
def test_what_cannot_be_written_is_told_in_one_line(where: str, replace: bool, tmp_path: Path) -> None:
    """No such folder, a file in its place, a folder in the file's place, a name too long: no part is left."""
    (tmp_path / "file").write_bytes(b"a file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(EdgeGateError) as caught:
        write_private(tmp_path / where, b"new", replace=replace)
    assert where in said(caught.value)
    assert {"file": b"a file"} == files(tmp_path)
    assert ["file", "folder"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_disk_without_nameless_files_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On FAT, say: private, whole and refused over another file, with nothing left beside it."""
    opened = os.open

    def fat(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", fat)
    path = tmp_path / "key"
    write_private(path, b"new")
    assert 0o600 == mode(path)
    with pytest.raises(EdgeGateError):
        write_private(path, b"newer")
    assert {"key": b"new"} == files(tmp_path)


SLOW = """
import os, sys, time
from pathlib import Path
from edgegate.files import write_private
synced = os.fsync
os.fsync = lambda file: (synced(file), print("written", flush=True), time.sleep(60))
write_private(Path("key"), b"secret")
"""


def test_a_write_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """All of it is on the disk, but has no name yet."""
    with subprocess.Popen([sys.executable, "-c", SLOW], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "written\n" == process.stdout.readline()
        process.kill()
    if named := list(tmp_path.iterdir()):
        assert [".part"] == [path.suffix for path in named]
        pytest.skip("the disk of this machine's temporary files knows no files without a name")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """As on a disk where no file can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """Half of it fits: the file of before is still there, the new one is not, and no part of it either."""
    path, new = tmp_path / "key", bytes(20_000)
    path.write_bytes(b"old")
    for target in (path, tmp_path / "other"):
        with room_for(10_000), pytest.raises(EdgeGateError) as caught:
            write_private(target, new, replace=True)
        assert str(target) in said(caught.value)
    assert {"key": b"old"} == files(tmp_path)


def test_small_files_are_read_up_to_their_limit(tmp_path: Path) -> None:
    """At the limit it is read, one byte above it is another kind of file."""
    path = tmp_path / "key"
    path.write_bytes(b"12345")
    assert b"12345" == read_small(path, 5, missing="make it")
    with pytest.raises(EdgeGateError) as caught:
        read_small(path, 4, missing="make it")
    assert str(path) in said(caught.value)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    """The caller knows the command, the line names it."""
    with pytest.raises(EdgeGateError) as caught:
        read_small(tmp_path / "key", 5, missing="make it with `this command`")
    assert "`this command`" in said(caught.value)


@pytest.mark.parametrize("where", ["folder", "file/key", "k" * 300])
def test_what_cannot_be_read_is_told_in_one_line(where: str, tmp_path: Path) -> None:
    """A folder, a path through a file, an impossible name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EdgeGateError) as caught:
        read_small(tmp_path / where, 5, missing="make it")
    assert where in said(caught.value)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While one gate runs, another daemon says so in one line and does not touch it."""
    path = tmp_path / "gate.lock"
    with only_one(path), child("lock", path) as second:
        begin(second)
        said_there = line(second)
    assert said_there.startswith("refused")
    assert str(path) in said_there
    assert 0o600 == mode(path)


def test_a_second_gate_in_this_process_is_refused(tmp_path: Path) -> None:
    """The lock also holds within a process, and refusing does not loosen it."""
    path = tmp_path / "gate.lock"
    with only_one(path):
        for _ in range(2):
            with pytest.raises(EdgeGateError) as caught, only_one(path):
                pass
            said(caught.value)
    with only_one(path):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """After kill -9 the next daemon starts: the system drops the lock with the process."""
    path = tmp_path / "gate.lock"
    with child("lock", path) as first:
        begin(first)
        assert "held" == line(first)
        with pytest.raises(EdgeGateError), only_one(path):
            pass
        first.kill()
        first.wait(30)
        with only_one(path):
            pass


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    """A daemon that fails does not lock out its next start."""
    path = tmp_path / "gate.lock"
    with pytest.raises(ZeroDivisionError), only_one(path):
        raise ZeroDivisionError
    with only_one(path):
        pass


def test_a_lock_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    """The folder is missing."""
    with pytest.raises(EdgeGateError) as caught, only_one(tmp_path / "missing" / "gate.lock"):
        pass
    assert "gate.lock" in said(caught.value)
