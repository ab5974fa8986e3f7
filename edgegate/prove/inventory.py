"""Which files this version makes or is given, and so which ones should not be there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgegate.calibration import record
from edgegate.config import Config
from edgegate.device_key import public_path
from edgegate.errors import EdgeGateError
from edgegate.faces.catalogue import EMBEDDED
from edgegate.faces.pack import MANIFEST, AnyPack, load_any
from edgegate.journal import pseudonyms
from edgegate.prove.report import Claim, Found, Hand, fails, find, holds, judged, listed
from edgegate.prove.scene import Scene
from edgegate.vault.secret import sealed

RUNTIME = "/run/edgegate"
COPIES = "/opt/edgegate/before-upgrade"
"""Where an upgrade keeps copies of the stores, for as long as it takes to try the new version."""

PIPE = re.compile(r"\.lgd-nfy-?\d+")
"""A pipe that the library lgpio makes in its working directory; it holds nothing."""
MAX_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in one of the gate's folders."""

    path: Path
    mode: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


def stores(scene: Scene) -> tuple[Path, ...]:
    """Vault and journal with what SQLite keeps beside them, be it there or not."""
    return tuple(
        store.with_name(store.name + suffix)
        for store in (scene.vault, scene.journal)
        for suffix in ("", "-wal", "-shm")
    )


def secrets(scene: Scene) -> tuple[Path, ...]:
    """The keys that a gate has, be they there or not."""
    secret = scene.config.vault.site_secret
    return tuple(_plain(path) for path in (secret, sealed(secret), scene.config.gate.device_key))


def folders(scene: Scene) -> tuple[Path, ...]:
    """The folders that are the gate's own, none of them inside another."""
    config = scene.config
    files = (config.file, scene.vault, scene.journal, *secrets(scene), *config.badges.issuers)
    named = {_plain(path.parent) for path in files} | {_plain(config.faces.models_dir)}
    named.add(scene.machine.path(RUNTIME))
    named |= set(_elsewhere(config))
    there = sorted(folder for folder in named if folder.is_dir())
    return tuple(folder for folder in there if not any(above in folder.parents for above in there))


def declared(scene: Scene) -> set[Path]:
    """Every name that may be there, folders included."""
    config = scene.config
    names = {_plain(config.file), *stores(scene), *secrets(scene), *map(_plain, config.badges.issuers)}
    names |= {_plain(config.vault.path), _plain(config.journal.path), scene.journal.with_suffix(".lock")}
    names.add(_plain(public_path(config.gate.device_key)))
    names.add(scene.machine.path(RUNTIME) / pseudonyms.FILE)
    names |= set(_models(_plain(config.faces.models_dir)))
    for folder in _elsewhere(config):
        with suppress(EdgeGateError):  # of which the claims about the pack speak
            names |= set(_pack(load_any(folder)))
    for name in tuple(names):
        names.update(name.parents)
    return names


def _elsewhere(config: Config) -> list[Path]:
    """Folders of packs that the configuration names by their place."""
    return [_plain(Path(name)) for name in (config.faces.pack, config.faces.liveness_pack) if "/" in name]


def entries(scene: Scene) -> Iterator[Entry]:
    """Everything in the gate's folders. Raises PermissionError, and EdgeGateError where there is far too much."""
    count = 0
    for folder in folders(scene):
        for where, below, files in os.walk(folder, onerror=_refuse):
            for name in (*below, *files):
                count += 1
                if count > MAX_ENTRIES:
                    raise EdgeGateError(
                        f"the gate's folders hold more than {MAX_ENTRIES} files",
                        where=str(folder),
                        next="give the gate a folder of its own",
                    )
                path = Path(where, name)
                yield Entry(path, path.lstat().st_mode)


def undeclared(scene: Scene) -> list[Entry]:
    """What should not be there."""
    known = declared(scene)
    state = {scene.vault.parent, scene.journal.parent}
    return [
        entry
        for entry in entries(scene)
        if entry.path not in known
        and not (stat.S_ISFIFO(entry.mode) and entry.path.parent in state and PIPE.fullmatch(entry.path.name))
    ]


def _inventory(scene: Scene) -> Found:
    found = sorted(str(entry.path) for entry in undeclared(scene))
    places = ", ".join(map(str, folders(scene)))
    return judged(found, count=sum(1 for _ in entries(scene)), folders=places, files=listed(found))


def _by_find(scene: Scene) -> Hand:
    pipes = ["!", "(", "-type", "p", "-name", ".lgd-nfy*", ")"]
    return Hand(find(folders(scene), "-mindepth", "1", *but_declared(scene), *pipes))


def _copies(scene: Scene) -> Found:
    found = [str(entry.path) for entry in undeclared(scene) if entry.is_file and _is_database(entry.path)]
    left = scene.machine.path(COPIES)
    if left.is_dir():
        found += [str(path) for path in left.iterdir()]
    return fails(files=listed(sorted(found))) if found else holds()


def _by_header(scene: Scene) -> Hand:
    """SQLite's files begin with their kind; a log begins with another number and holds pages that do so."""
    known = [word for name in stores(scene) for word in ("!", "-path", pattern(name))]
    header = """head -c 15 "$1" | grep -qaF 'SQLite format 3'"""
    places = (*folders(scene), scene.machine.path(COPIES))
    return Hand(
        find(places, "-type", "f", *known, "-exec", "sh", "-c", header, "-", "{}", ";", "-print") + " 2>/dev/null"
    )


def but_declared(scene: Scene) -> list[str]:
    """The tests by which find(1) passes over everything declared."""
    below = {name for name in declared(scene) if any(folder in name.parents for folder in folders(scene))}
    return [word for name in sorted(below) for word in ("!", "-path", pattern(name))]


def pattern(path: Path) -> str:
    """A path as find(1) takes one in `-path`, where it means itself only."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", str(path))


def _is_database(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(15) == b"SQLite format 3"


def _models(folder: Path) -> Iterator[Path]:
    yield from (folder / "README.md", folder / "catalogue.yaml", folder / EMBEDDED / record.NAME)
    for manifest in folder.glob(f"*/{MANIFEST}"):
        with suppress(EdgeGateError):  # what is no pack is not declared
            yield from _pack(load_any(manifest.parent))


def _pack(pack: AnyPack) -> Iterator[Path]:
    """Its manifest, its models, and what was measured with them here."""
    names = (MANIFEST, record.NAME, *(part.file for part in pack.manifest.files))
    yield from (pack.folder / name for name in names)


def _plain(path: Path) -> Path:
    """Where a name lies, with no link on the way to it; the last part may be one."""
    return path.parent.resolve() / path.name


def _refuse(error: OSError) -> None:
    raise error


CLAIMS = (Claim("files.inventory", _inventory, _by_find), Claim("files.copies", _copies, _by_header))
