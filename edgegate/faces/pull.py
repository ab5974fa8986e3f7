"""A pack of the catalogue: downloaded, unpacked as far as it is needed, checked, installed."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import yaml

from edgegate.errors import EdgeGateError
from edgegate.faces.catalogue import EMBEDDED
from edgegate.faces.download import check_address, fetch
from edgegate.faces.install import check_licence, check_space, copy, installing
from edgegate.faces.manifest import MANIFEST, ModelFile
from edgegate.faces.offers import Download, Offer, offers
from edgegate.faces.pack import Pack, load
from edgegate.files import exists

PARTS = ".pull-"
"""Folders of what is not whole yet begin so, and stay until the pack is installed."""

TellFile: TypeAlias = Callable[[str, int, int], None]
"""Is told a file's name, how many bytes it has, and how many of them are here."""


def offered(name: str) -> Offer:
    """The catalogue's pack of that name. Raises EdgeGateError."""
    known = {offer.name: offer for offer in offers()}
    if name == EMBEDDED:
        raise EdgeGateError("comes with EdgeGate", where=name, next="nothing needs to be downloaded")
    if name not in known:
        raise EdgeGateError("is no pack of the catalogue", where=name, next=f"choose one of {', '.join(known)}")
    return known[name]


def pull(
    offer: Offer,
    models_dir: Path,
    *,
    accepted: bool,
    base: str | None = None,
    tell: TellFile = lambda file, size, have: None,
) -> Pack:
    """Download and install a pack; `base` is the address of a folder that holds the same files on another server."""
    check_licence(Pack(offer.manifest, models_dir), accepted=accepted, terms=offer.terms)
    addresses = [_address(download, base) for download in offer.downloads]
    parts = models_dir / f"{PARTS}{offer.name}"
    with installing(models_dir, offer.name) as folder:
        if parts.is_symlink():
            raise EdgeGateError("is a link", where=str(parts), next="remove it")
        parts.mkdir(exist_ok=True)
        here = [parts / f"{download.file}.part" for download in offer.downloads]
        try:
            check_space(models_dir, _needed(offer, here))
            for download, url, part in zip(offer.downloads, addresses, here, strict=True):
                fetch(download, url, part, partial(tell, download.file, download.bytes))
            for download, part in zip(offer.downloads, here, strict=True):
                if download.archive:
                    _unpack(part, offer.manifest.files, folder)
                else:
                    part.rename(folder / download.file)
        except BaseException:
            # What is left stays only where the next attempt can go on with it.
            if not any(0 < _size(part) < download.bytes for download, part in zip(offer.downloads, here, strict=True)):
                shutil.rmtree(parts, ignore_errors=True)
            raise
        manifest = offer.manifest.model_dump(exclude_none=True)
        (folder / MANIFEST).write_text(yaml.safe_dump(manifest, sort_keys=False), "utf-8")
    shutil.rmtree(parts, ignore_errors=True)
    return load(models_dir / offer.name)


def _address(download: Download, base: str | None) -> str:
    url = download.url if base is None else f"{base.rstrip('/')}/{download.file}"
    check_address(url)
    return url


def _needed(offer: Offer, here: Sequence[Path]) -> int:
    """How many bytes the disk will take, beside what is there."""
    missing = sum(
        download.bytes - min(_size(part), download.bytes) for download, part in zip(offer.downloads, here, strict=True)
    )
    unpacked = sum(part.bytes or 0 for part in offer.manifest.files)
    return missing + (unpacked if any(download.archive for download in offer.downloads) else 0)


def _size(path: Path) -> int:
    return path.lstat().st_size if exists(path) else 0


def _unpack(archive: Path, files: Sequence[ModelFile], folder: Path) -> None:
    """The files named, out of an archive whose own hash was good; their hashes are checked where they are installed."""
    try:
        with zipfile.ZipFile(archive) as source:
            for part in files:
                # Some archives hold a folder of their own name, others do not.
                found = [info for info in source.infolist() if info.filename.rpartition("/")[2] == part.file]
                if [part.bytes] != [info.file_size for info in found]:
                    raise _foreign(archive, f"does not hold {part.file} of {part.bytes} bytes")
                with source.open(found[0]) as stream, (folder / part.file).open("xb") as target:
                    if copy(stream, target, part.bytes or 0) != part.sha256:
                        raise _foreign(archive, f"holds another {part.file} (SHA-256 differs)")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise _foreign(archive, "is no archive that can be read") from None


def _foreign(archive: Path, what: str) -> EdgeGateError:
    """Its own hash was good, so the catalogue is wrong."""
    return EdgeGateError(what, where=archive.name.removesuffix(".part"), next="report it; the catalogue has a mistake")
