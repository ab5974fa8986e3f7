"""Small files that must not be half-written, readable by others, or larger than they should be."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgegate.errors import EdgeGateError


def read_small(path: Path, limit: int, *, missing: str) -> bytes:
    """At most `limit` bytes of a file; `missing` says what to do when it is not there."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except FileNotFoundError:
        raise EdgeGateError("does not exist", where=str(path), next=missing) from None
    except OSError as error:
        raise EdgeGateError(
            f"cannot be read ({error.strerror})", where=str(path), next="check the path and its permissions"
        ) from None
    if len(data) > limit:
        raise EdgeGateError(f"is larger than {limit} bytes", where=str(path), next="this is another kind of file")
    return data


def exists(path: Path) -> bool:
    """Is there anything of this name? Raises EdgeGateError for a name that no disk takes."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise EdgeGateError(
            f"cannot be looked at ({error.strerror})", where=str(path), next="give another name, or check permissions"
        ) from None
    return True


def write_private(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file that only its owner may read (0600), whole or not at all; refuses to overwrite unless told.

    A process that is killed meanwhile leaves nothing of it, where the disk knows files without a name (FAT does not);
    with `replace` it may leave a file `.NAME.PID.part`.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = None if replace else _nameless(path.parent)
        nameless = file is not None
        if file is None:
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(file)
            give_to_folder(path, file)
            if nameless:
                # Only when it is told where the name starts from does `link` follow it to the file.
                os.link(f"/proc/self/fd/{file}", path, src_dir_fd=file)
        if replace:
            part.replace(path)
        elif not nameless:
            _take_name(part, path)
    except FileExistsError:
        raise EdgeGateError(
            "exists already", where=str(path), next="name another file, or move this one away"
        ) from None
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=str(path), next="check folder, permissions and space"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _nameless(folder: Path) -> int | None:
    """A file in this folder that has no name yet; None where the disk knows none, or nothing could name it."""
    if not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
        return None


def _take_name(part: Path, path: Path) -> None:
    try:
        os.link(part, path)  # unlike a rename, this fails where the name is taken
    except OSError as error:
        # FAT, as on a USB stick, knows no links.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP) or exists(path):
            raise
        part.rename(path)


def give_to_folder(path: Path, file: int | None = None) -> None:
    """What root makes in a folder of the service's belongs to the service, which has to read and write it too. `file`
    is the open file, where it has not got its name yet."""
    if os.geteuid() == 0:
        folder = path.absolute().parent.stat()
        if folder.st_uid == 0:
            return
        if file is None:
            os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)  # the service could plant a link
        else:
            os.fchown(file, folder.st_uid, folder.st_gid)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock on a file, so that two daemons never drive one gate; the system drops it with the process."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_to_folder(path)
    except OSError as error:
        raise EdgeGateError(
            f"cannot be made ({error.strerror})", where=str(path), next="check the folder and its permissions"
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EdgeGateError(
                "another EdgeGate runs this gate already", where=str(path), next="stop that one first"
            ) from None
        yield
    finally:
        os.close(lock)
