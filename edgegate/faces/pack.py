"""A pack: a folder with model files and the manifest `pack.yaml` that says what they are."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from edgegate.errors import EdgeGateError
from edgegate.faces.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MAX_MODEL_BYTES,
    LivenessManifest,
    Manifest,
    ModelFile,
    Recogniser,
    read_manifest,
)
from edgegate.files import read_small

__all__ = [
    "MANIFEST",
    "AnyPack",
    "LivenessPack",
    "Manifest",
    "ModelFile",
    "Pack",
    "Recogniser",
    "load",
    "load_any",
    "only_face",
    "only_liveness",
    "open_model",
    "parse",
    "parse_any",
]

EMBEDDING = "2"
"""Which way a picture becomes an embedding, beside its models. A new one wherever the same picture gives other numbers:
2 spreads the light of flat faces, and enrols a photograph together with its mirror image."""

M = TypeVar("M", Manifest, LivenessManifest)


@dataclass(frozen=True)
class _Installed(Generic[M]):
    """A manifest and the folder its files lie in."""

    manifest: M
    folder: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    def verify(self) -> None:
        """Hash every model file. Raises EdgeGateError naming the first that is missing or not the one meant."""
        for part in self.manifest.files:
            with open_model(self.folder / part.file) as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != part.sha256:
                    raise self.mismatch(part)

    def read(self, name: str) -> bytes:
        """The bytes of one of the pack's files, hashed: what is loaded from them is what was checked. Raises as
        `verify`."""
        part = next(part for part in self.manifest.files if part.file == name)
        with open_model(self.folder / name) as stream:
            data = stream.read(MAX_MODEL_BYTES)
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise self.mismatch(part)
        return data

    def mismatch(self, part: ModelFile) -> EdgeGateError:
        """What to say of a model file with another hash than the manifest's."""
        return EdgeGateError(
            f"is not the file that the manifest of pack {self.name} names (SHA-256 differs)",
            where=str(self.folder / part.file),
            next="import the pack again from a source you trust",
        )


class LivenessPack(_Installed[LivenessManifest]):
    """Presentation attack detection. Its models never see two people's faces, and compare nothing."""


class Pack(_Installed[Manifest]):
    """Detector and recogniser."""

    @property
    def id(self) -> str:
        """Name and a digest of everything that makes embeddings comparable; templates are bound to it."""
        m = self.manifest
        parts = [EMBEDDING, m.engine, m.detector.sha256, m.recogniser.sha256, m.recogniser.metric]
        if m.recogniser.input is not None:
            parts += [str(value) for value in m.recogniser.input.model_dump().values()]
        return f"{m.name}/{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"

    @property
    def detector(self) -> Path:
        return self.folder / self.manifest.detector.file

    @property
    def recogniser(self) -> Path:
        return self.folder / self.manifest.recogniser.file

    @property
    def measured(self) -> bool:
        """Is there a threshold at a stated false match rate?"""
        return bool(self.manifest.thresholds)

    def with_thresholds(self, thresholds: dict[float, float], measured_on: str) -> Pack:
        """This pack under thresholds measured elsewhere than by its makers; its id stays."""
        changed = {"thresholds": thresholds, "measured_on": measured_on}
        return Pack(self.manifest.model_copy(update=changed), self.folder)

    def threshold(self, target_fmr: float) -> float:
        """The threshold measured at the highest rate not above `target_fmr`; never an extrapolated one."""
        if not self.measured:
            figure = self.manifest.authors
            theirs = f"; its authors' {figure.threshold:g} is {figure.stands_for}" if figure else ""
            raise EdgeGateError(
                f"pack {self.name} has no threshold measured at a false match rate{theirs}",
                where=str(self.folder),
                next=f"measure one with `edgegate calibrate --pack {self.name} --save`, or choose another pack",
            )
        measured = [fmr for fmr in self.manifest.thresholds if fmr <= target_fmr * (1 + 1e-9)]
        if not measured:
            least = min(self.manifest.thresholds)
            raise EdgeGateError(
                f"pack {self.name} was measured down to a false match rate of {least:g}, not {target_fmr:g}",
                where="faces.target_fmr",
                next=f"set it to {least:g} or more, or choose another pack",
            )
        return self.manifest.thresholds[max(measured)]


AnyPack: TypeAlias = Pack | LivenessPack


def open_model(path: Path, what: str = "model file", most: int = MAX_MODEL_BYTES) -> io.BufferedReader:
    """A regular file of a bounded size: a device or a pipe of the same name would never end."""
    try:
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise EdgeGateError(
            f"{what} cannot be read ({error.strerror})", where=str(path), next="import the pack again"
        ) from None
    found = os.fstat(stream.fileno())
    if stat.S_ISREG(found.st_mode) and found.st_size <= most:
        return stream
    stream.close()
    raise EdgeGateError(f"{what} is no file of at most {most >> 20} MiB", where=str(path), next="import the pack again")


def load(folder: Path) -> Pack:
    """The face pack in `folder`, its manifest read; the hashes are checked by `Pack.verify`."""
    return only_face(load_any(folder))


def load_any(folder: Path) -> AnyPack:
    """As `load`, for a pack of either kind."""
    path = folder / MANIFEST
    data = read_small(path, MAX_MANIFEST_BYTES, missing="name a pack's folder, one with pack.yaml in it")
    return parse_any(data, path)


def parse(data: bytes, path: Path) -> Pack:
    """A manifest's bytes as the face pack in the folder of `path`. Raises EdgeGateError when they are none."""
    return only_face(parse_any(data, path))


def parse_any(data: bytes, path: Path) -> AnyPack:
    """As `parse`, for a pack of either kind."""
    manifest = read_manifest(data, path)
    return Pack(manifest, path.parent) if isinstance(manifest, Manifest) else LivenessPack(manifest, path.parent)


def only_face(pack: AnyPack) -> Pack:
    """The pack, if it is a face pack. Raises EdgeGateError."""
    if isinstance(pack, Pack):
        return pack
    raise EdgeGateError(
        f"pack {pack.name} is one for liveness, and compares no faces",
        where=str(pack.folder),
        next="choose a face pack",
    )


def only_liveness(pack: AnyPack) -> LivenessPack:
    """The pack, if it is one for liveness. Raises EdgeGateError."""
    if isinstance(pack, LivenessPack):
        return pack
    raise EdgeGateError(
        f"pack {pack.name} compares faces, and is none for liveness", where=str(pack.folder), next="choose another"
    )
