"""Putting a pack where the gate looks for it: whole or not at all, also when the power fails."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from edgegate.errors import EdgeGateError
from edgegate.faces.pack import AnyPack, load_any
from edgegate.files import exists

RESERVE_BYTES = 64 << 20
"""Left free on the disk: the gate's own records may live there too."""
NEW = ".new-"
"""Folders that are being filled begin so; what a crash left of one goes with the next attempt."""
_CHUNK = 1 << 20


class BinaryReader(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


@contextmanager
def installing(models_dir: Path, name: str) -> Iterator[Path]:
    """An empty folder to fill. At the end of the block its hashes are checked and it becomes `models_dir/name`; when
    anything fails, it is gone. Only one process installs at a time."""
    target, new = models_dir / name, models_dir / f"{NEW}{name}"
    made = not models_dir.is_dir()
    try:
        if made:
            models_dir.mkdir(parents=True)
            models_dir.chmod(0o755)
        with _alone(models_dir):
            if exists(target):
                raise EdgeGateError("is installed already", where=str(target), next="move it away to install it again")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            try:
                yield new
                load_any(new).verify()
                _settle(new)
                new.rename(target)
                _sync(models_dir)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise EdgeGateError(
            f"the pack could not be installed ({error.strerror}); nothing was kept",
            where=str(models_dir),
            next="make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the folder and its permissions",
        ) from None
    finally:
        if made:
            with suppress(OSError):
                models_dir.rmdir()  # goes only where nothing came into it


def check_space(folder: Path, needed: int, reserve: int = RESERVE_BYTES) -> None:
    """Raises EdgeGateError when the disk of `folder` has no room for so many bytes and a reserve."""
    free = shutil.disk_usage(folder).free
    if free < needed + reserve:
        raise EdgeGateError(
            f"has {free / 1e6:.1f} MB free, {(needed + reserve) / 1e6:.1f} are needed",
            where=str(folder),
            next="make room, or use another disk",
        )


def check_licence(pack: AnyPack, *, accepted: bool, terms: str = "") -> None:
    """Raises EdgeGateError for weights that are not free for every use, unless somebody has said that they may.
    `terms` is where the licence can be read."""
    licence = pack.manifest.licence
    if not licence.distributable and not accepted:
        raise EdgeGateError(
            f"pack {pack.name} is not free for every use: {pack.manifest.terms}",
            next=f"read the licence{f' ({terms})' if terms else ''}; where it allows your use, add --accept-license",
        )


def copy(source: BinaryReader, target: BinaryIO, most: int) -> str:
    """Copy to the end, or `most` bytes and one: what is larger than it says is not copied in full. Returns the
    SHA-256 of what was copied."""
    digest, left = hashlib.sha256(), most + 1
    while chunk := source.read(min(_CHUNK, left)):
        target.write(chunk)
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EdgeGateError(
                "another command is installing a pack", where=str(folder), next="wait until it has ended"
            ) from None
        yield
    finally:
        os.close(lock)


def _settle(folder: Path) -> None:
    """Readable for the service, whatever the umask of who installs, and on the disk before the name is."""
    for path in sorted(folder.iterdir()):
        path.chmod(0o644)
        _sync(path)
    folder.chmod(0o755)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
