"""A pack: a folder with model files and the manifest `pack.yaml` that says what they are and may be used for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgegate.errors import EdgeGateError
from edgegate.files import read_small

MANIFEST = "pack.yaml"
_MAX_MANIFEST = 64 * 1024


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ModelFile(_Part):
    """One file of the pack. It lies in the pack's own folder; a path that leads out of it is refused."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Recogniser(ModelFile):
    """The recogniser's file, and what its embeddings are."""

    dimensions: Annotated[int, Field(ge=8, le=4096)]
    metric: Literal["cosine", "distance"] = "cosine"


class Licence(_Part):
    """What may be done with the weights, in the words of their authors."""

    detector: str = "not stated"
    recogniser: str = "not stated"
    distributable: bool = False
    """True when both may be used and passed on by anybody, a school included."""


class Manifest(_Part):
    """What `pack.yaml` says."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.\-]{0,63}$")]
    engine: str
    detector: ModelFile
    recogniser: Recogniser
    thresholds: Annotated[dict[float, float], Field(min_length=1)]
    """Score thresholds by the false match rate (per comparison) at which they were measured."""
    measured_on: str = "not stated"
    licence: Licence = Licence()


@dataclass(frozen=True, slots=True)
class Pack:
    """A manifest and the folder its files lie in."""

    manifest: Manifest
    folder: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def id(self) -> str:
        """Name and a digest of everything that makes embeddings comparable; templates are bound to it."""
        m = self.manifest
        parts = (m.engine, m.detector.sha256, m.recogniser.sha256, m.recogniser.metric)
        return f"{m.name}/{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"

    @property
    def detector(self) -> Path:
        return self.folder / self.manifest.detector.file

    @property
    def recogniser(self) -> Path:
        return self.folder / self.manifest.recogniser.file

    def threshold(self, target_fmr: float) -> float:
        """The threshold measured at the highest rate not above `target_fmr`; never an extrapolated one."""
        measured = [fmr for fmr in self.manifest.thresholds if fmr <= target_fmr * (1 + 1e-9)]
        if not measured:
            least = min(self.manifest.thresholds)
            raise EdgeGateError(
                f"pack {self.name} was measured down to a false match rate of {least:g}, not {target_fmr:g}",
                where="faces.target_fmr",
                next=f"set it to {least:g} or more, or choose another pack",
            )
        return self.manifest.thresholds[max(measured)]

    def verify(self) -> None:
        """Hash every model file. Raises EdgeGateError naming the first that is missing or not the one meant."""
        for part in (self.manifest.detector, self.manifest.recogniser):
            path = self.folder / part.file
            try:
                with path.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise EdgeGateError(
                    f"model file cannot be read ({error.strerror})", where=str(path), next="import the pack again"
                ) from None
            if found != part.sha256:
                raise EdgeGateError(
                    f"is not the file that the manifest of pack {self.name} names (SHA-256 differs)",
                    where=str(path),
                    next="import the pack again from a source you trust",
                )


def load(folder: Path) -> Pack:
    """Read the manifest in `folder`; the hashes are checked by `Pack.verify`."""
    path = folder / MANIFEST
    return parse(read_small(path, _MAX_MANIFEST, missing="name a pack's folder, one with pack.yaml in it"), path)


def parse(data: bytes, path: Path) -> Pack:
    """A manifest's bytes as the pack in the folder of `path`. Raises EdgeGateError when they are none."""
    try:
        return Pack(Manifest.model_validate(yaml.safe_load(data)), path.parent)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc'])) or 'manifest'}: {first['msg']}"
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        what = "it is not YAML"
    raise EdgeGateError(f"is no pack manifest ({what})", where=str(path), next="see models/README.md")
