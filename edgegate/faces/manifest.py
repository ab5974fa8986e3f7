"""What `pack.yaml` says: the files of a pack, what they are, and what they may be used for.

There are two kinds: `face` (detector and recogniser) and `liveness` (presentation attack detection).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgegate.errors import EdgeGateError

MANIFEST = "pack.yaml"
MAX_MANIFEST_BYTES = 64 * 1024
MAX_MODEL_BYTES = 1 << 30
_WORDS = {
    "file": "must be the plain name of a file in the pack's own folder",
    "sha256": "must be 64 small hexadecimal digits",
    "name": "must be a short name of small letters, digits, '.', '_' and '-'",
}
"""Instead of a pattern, which says little on a ladder; by the last part of the key."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ModelFile(_Part):
    """One file of the pack. It lies in the pack's own folder; a path that leads out of it is refused."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,98}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(gt=0, le=MAX_MODEL_BYTES)] | None = None


class Input(_Part):
    """What a recogniser of the engine `opencv` takes: a square crop, (value - mean) / std of each channel."""

    size: Annotated[int, Field(ge=32, le=512)]
    mean: float = 0.0
    std: Annotated[float, Field(gt=0)] = 1.0
    colour: Literal["rgb", "bgr"] = "rgb"


class Recogniser(ModelFile):
    """The recogniser's file, and what its embeddings are."""

    dimensions: Annotated[int, Field(ge=8, le=4096)]
    metric: Literal["cosine", "distance"] = "cosine"
    input: Input | None = None
    """None where the engine knows by itself."""


class Licence(_Part):
    """What may be done with the weights, in the words of their authors."""

    detector: str = "not stated"
    recogniser: str = "not stated"
    distributable: bool = False
    """True when both may be used and passed on by anybody, a school included."""


class AuthorsFigure(_Part):
    """A threshold that the authors of the weights name at no stated false match rate: told, and never used."""

    threshold: float
    stands_for: str


class Manifest(_Part):
    """What `pack.yaml` says of a face pack."""

    kind: Literal["face"] = "face"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.\-]{0,63}$")]
    engine: str
    detector: ModelFile
    recogniser: Recogniser
    thresholds: dict[Annotated[float, Field(gt=0, lt=1)], float]
    """Score thresholds by the false match rate (per comparison) at which they were measured; empty: never measured."""
    authors: AuthorsFigure | None = None
    measured_on: str = "not stated"
    licence: Licence = Licence()

    @property
    def files(self) -> tuple[ModelFile, ...]:
        return self.detector, self.recogniser

    @property
    def terms(self) -> str:
        return f"detector {self.licence.detector}, recogniser {self.licence.recogniser}"


class LivenessLicence(_Part):
    """As `Licence`, for models that are all of one origin."""

    model: str = "not stated"
    distributable: bool = False


class LivenessManifest(_Part):
    """What is common to the manifests of liveness packs; their engine reads the rest."""

    kind: Literal["liveness"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.\-]{0,63}$")]
    engine: str
    models: Annotated[tuple[ModelFile, ...], Field(min_length=1, max_length=8)]
    licence: LivenessLicence = LivenessLicence()

    @property
    def files(self) -> tuple[ModelFile, ...]:
        return self.models

    @property
    def terms(self) -> str:
        return self.licence.model


AnyManifest: TypeAlias = Manifest | LivenessManifest


def read_manifest(data: bytes, path: Path) -> AnyManifest:
    """The bytes of the file `path` as a manifest. Raises EdgeGateError when they are none."""
    try:
        raw = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise _unreadable("it is not YAML", path) from None
    try:
        kind = _kind(raw)
        if kind == "liveness":
            return LivenessManifest.model_validate({**raw, "kind": kind})
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise _unreadable(_mistake(first["loc"], first["type"], first["msg"]), path) from None


def _mistake(place: tuple[int | str, ...], kind: str, said: str) -> str:
    if not place:
        return "it holds no keys and values"
    words = _WORDS.get(str(place[-1])) if kind == "string_pattern_mismatch" else None
    return f"{'.'.join(map(str, place))}: {words or said}"


def _kind(raw: Any) -> object:
    """Manifests older than the word `kind` tell theirs by what they list."""
    if not isinstance(raw, dict):
        return None
    return raw.get("kind", "liveness" if "models" in raw and "recogniser" not in raw else "face")


def _unreadable(what: str, path: Path) -> EdgeGateError:
    return EdgeGateError(f"is no pack manifest ({what})", where=str(path), next="see models/README.md")
