"""A pack on a USB stick: one file (TAR) or a folder, hashed when it is written and when it is read.

What lies on a stick is somebody else's: an archive is read only where it names plain files of this one pack.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from edgegate.errors import EdgeGateError
from edgegate.faces.catalogue import AUTO, EMBEDDED, check_engine
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.faces.install import check_licence, check_space, copy, installing
from edgegate.faces.manifest import MANIFEST, MAX_MANIFEST_BYTES, MAX_MODEL_BYTES
from edgegate.faces.pack import AnyPack, open_model, parse_any
from edgegate.files import exists, read_small

FAT_BYTES = (4 << 30) - 1
"""The largest file that FAT32 takes, as sticks are formatted."""
_MAX_MEMBERS = 32
_MAX_READ = 1 << 20

Take: TypeAlias = Callable[[str], io.BufferedReader]
"""Opens a file of the pack by its name."""


def export_pack(pack: AnyPack, target: Path) -> Path:
    """Write an installed pack to one file, and read it back. Raises EdgeGateError; then there is no file."""
    if target.is_dir():
        target = target / f"{pack.name}.tar"
    if exists(target):
        raise EdgeGateError("exists already", where=str(target), next="name another file, or move this one away")
    pack.verify()
    paths = [pack.folder / name for name in (MANIFEST, *(part.file for part in pack.manifest.files))]
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        size = sum(path.stat().st_size for path in paths) + _MAX_MEMBERS * 1024
        if size > FAT_BYTES:
            raise EdgeGateError(
                f"pack {pack.name} is too large for one file on a stick", where=str(target), next="copy its folder"
            )
        check_space(target.parent, size, reserve=0)
        _write(part, pack.name, paths)
        with _archive(part) as (_, take):
            for model in pack.manifest.files:
                with take(model.file) as stream:
                    if hashlib.file_digest(stream, "sha256").hexdigest() != model.sha256:
                        raise EdgeGateError(
                            "was not kept as it was written", where=str(target), next="use another stick"
                        )
        part.rename(target)
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror}); nothing was kept", where=str(target), next="check folder and space"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()
    return target


def import_pack(source: Path, models_dir: Path, *, accepted: bool) -> AnyPack:
    """Install a pack from a folder, its `pack.yaml`, or a file that `export_pack` wrote: whole, or not at all."""
    if not exists(source):
        raise EdgeGateError("does not exist", where=str(source), next="name a pack's folder, or an exported file")
    folder = source.parent if source.name == MANIFEST else source
    with _folder(folder) if folder.is_dir() else _archive(source) as (data, take):
        pack = parse_any(data, folder / MANIFEST)
        check_engine(pack)
        if pack.name in {AUTO, EMBEDDED, FAKE_PACK.name}:
            raise EdgeGateError(f"is called `{pack.name}`, a name that is taken", where=str(folder), next="rename it")
        check_licence(pack, accepted=accepted)
        with installing(models_dir, pack.name) as new:
            check_space(models_dir, sum(part.bytes or 0 for part in pack.manifest.files))
            (new / MANIFEST).write_bytes(data)
            for part in pack.manifest.files:
                with take(part.file) as stream, (new / part.file).open("xb") as target:
                    if copy(stream, target, part.bytes or MAX_MODEL_BYTES) != part.sha256:
                        raise pack.mismatch(part)
    return parse_any(data, models_dir / pack.name / MANIFEST)


def _write(part: Path, name: str, paths: list[Path]) -> None:
    with part.open("xb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in paths:
                with path.open("rb") as stream:
                    info = tarfile.TarInfo(f"{name}/{path.name}")
                    info.size = os.fstat(stream.fileno()).st_size
                    tar.addfile(info, stream)
        raw.flush()
        os.fsync(raw.fileno())
        # What is read back shall come from the stick, not from memory.
        os.posix_fadvise(raw.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def _folder(folder: Path) -> Iterator[tuple[bytes, Take]]:
    def itself(name: str) -> Path:
        path = folder / name
        if path.is_symlink():
            raise EdgeGateError("is a link", where=str(path), next="a pack's folder holds the files themselves")
        return path

    manifest = read_small(
        itself(MANIFEST), MAX_MANIFEST_BYTES, missing="name a pack's folder, one with pack.yaml in it"
    )
    yield manifest, lambda name: open_model(itself(name))


@contextmanager
def _archive(path: Path) -> Iterator[tuple[bytes, Take]]:
    with _Bounded(open_model(path, "archive", FAT_BYTES).detach()) as raw:
        try:
            tar = tarfile.open(fileobj=raw, mode="r:")  # noqa: SIM115 - it is `raw` that is closed
            members = _members(tar, path)
        except (tarfile.TarError, ValueError, LookupError, ArithmeticError, RecursionError):
            # What hostile headers make tarfile stumble over.
            raise _foreign(path, "cannot be read") from None

        def take(name: str) -> io.BufferedReader:
            stream = tar.extractfile(members[name]) if name in members else None
            if not isinstance(stream, io.BufferedReader):
                raise _foreign(path, f"holds no {name}")
            return stream

        try:
            with take(MANIFEST) as stream:
                data = stream.read(MAX_MANIFEST_BYTES + 1)
            if len(data) > MAX_MANIFEST_BYTES:
                raise _foreign(path, f"holds a {MANIFEST} of more than {MAX_MANIFEST_BYTES} bytes")
            yield data, take
        except tarfile.ReadError:
            raise _foreign(path, "cannot be read to its end") from None


class _Bounded(io.BufferedReader):
    """A header that claims to be megabytes long would be read into memory in one piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("a header too large")
        return super().read(size)


def _members(tar: tarfile.TarFile, path: Path) -> dict[str, tarfile.TarInfo]:
    """The plain files of one folder, by name. Raises EdgeGateError for anything else."""
    found: dict[str, tarfile.TarInfo] = {}
    folders = set()
    for count, info in enumerate(tar):
        where = PurePosixPath(info.name)
        plain = info.isreg() and info.sparse is None and len(where.parts) <= 2 and ".." not in where.parts
        if count >= _MAX_MEMBERS or not (plain or info.isdir()) or where.is_absolute() or where.name in found:
            raise _foreign(path, f"holds {info.name[:60]!r}")
        if plain:
            found[where.name] = info
            folders.add(where.parent)
    if len(folders) > 1:
        raise _foreign(path, "holds several folders")
    return found


def _foreign(path: Path, what: str) -> EdgeGateError:
    return EdgeGateError(
        f"{what}: it is no pack that `edgegate models export` wrote", where=str(path), next="export the pack again"
    )
