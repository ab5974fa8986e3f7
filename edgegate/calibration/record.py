"""A calibration kept beside its pack, signed by the device: what the gate's threshold then rests on.

The file is YAML between a first line that names its kind and a last line with the signature over everything before it
(Ed25519, base64). `head -n -1` of it, and `openssl pkeyutl -verify -rawin` with the device's public key, check it.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgegate.calibration.problems import printable
from edgegate.errors import EdgeGateError
from edgegate.faces.pack import MANIFEST, Pack
from edgegate.files import exists, read_small, write_private
from edgegate.stores import Signer

KIND = "edgegate calibration 1"
NAME = "calibration.yaml"
AGAIN = "calibrate again with `edgegate calibrate --save`, or remove this file to use the pack's own thresholds"
MODE = 0o644
_MAX_BYTES = 64 * 1024
_SIGNATURE = b"signature: "


class Verifier(Protocol):
    """The device's public key."""

    name: str

    def verifies(self, message: bytes, signature: bytes) -> bool: ...


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]


class Measured(_Part):
    """A rate: errors, trials and the 95 % interval."""

    errors: Annotated[int, Field(ge=0)]
    trials: Annotated[int, Field(ge=0)]
    low: Share
    high: Share


class Threshold(_Part):
    """The threshold for a target FMR, and what was measured at it."""

    target_fmr: Annotated[float, Field(gt=0, le=1)]
    threshold: Annotated[float, Field(ge=-10, le=10)]
    fmr: Measured
    fnmr: Measured


class Kept(_Part):
    """One way of comparing, as `measure.Side`."""

    genuine: int
    genuine_people: int
    impostor: int
    people_pairs: int
    supports_fmr: Share
    thresholds: Annotated[tuple[Threshold, ...], Field(strict=False, min_length=1, max_length=16)]


class Calibration(_Part):
    """What the file says."""

    pack: str
    detector_sha256: str
    recogniser_sha256: str
    data: str
    pictures: int
    people: int
    people_not_enrolled: int
    made: str
    edgegate: str
    looks: int
    """Looks of a presentation, at most."""
    per_pair: Kept
    per_presentation: Kept
    device: str

    @property
    def thresholds(self) -> dict[float, float]:
        """By target FMR per presentation: where both were measured, the higher of that and the one per pair."""
        pair = {each.target_fmr: each.threshold for each in self.per_pair.thresholds}
        return {
            each.target_fmr: max(each.threshold, pair.get(each.target_fmr, each.threshold))
            for each in self.per_presentation.thresholds
        }

    @property
    def thresholds_per_pair(self) -> dict[float, float]:
        """By target FMR of one picture against another, as enrolment compares photographs."""
        return {each.target_fmr: each.threshold for each in self.per_pair.thresholds}

    @property
    def measured_on(self) -> str:
        """For whoever starts the gate: the data behind the threshold."""
        return f"{self.data}: {self.pictures} pictures of {self.people} people, calibrated {self.made[:10]}"


def place(pack: Pack, models_dir: Path) -> Path:
    """Where a pack's calibration is: in its folder, or, for the embedded pack, whose folder is the dependencies', in a
    folder of its name among the others."""
    folder = pack.folder if (pack.folder / MANIFEST).is_file() else models_dir / pack.name
    return folder / NAME


def measured(pack: Pack, models_dir: Path) -> bool:
    """Is there a threshold for a pack, its own or one of a calibration, however good that is?"""
    return pack.measured or exists(place(pack, models_dir))


def write(calibration: Calibration, path: Path, signer: Signer) -> None:
    """Sign and write it, over an older one. Raises EdgeGateError when it cannot be written."""
    body = yaml.safe_dump(calibration.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=10_000)
    message = f"{KIND}\n---\n{body}".encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, message + _SIGNATURE + base64.b64encode(signer.sign(message)) + b"\n", replace=True)
        path.chmod(MODE)  # the gate may run as somebody else than who calibrates
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=str(path), next="check the folder and its permissions"
        ) from None


def find(pack: Pack, models_dir: Path, key: Verifier | None) -> Calibration | None:
    """The calibration kept for a pack, if there is one.

    Raises EdgeGateError for one that this device did not sign, that was altered, or that was made for other models.
    """
    path = place(pack, models_dir)
    if not exists(path):
        return None
    message, mark, signature = read_small(path, _MAX_BYTES, missing=AGAIN).rpartition(_SIGNATURE)
    if not mark or not message.startswith(f"{KIND}\n---\n".encode()):
        raise _refused(path, "is no calibration that this version knows")
    if key is None:
        raise EdgeGateError(
            "cannot be checked: this device has no public key",
            where=str(path),
            next="make one with `edgegate device init`",
        )
    if not key.verifies(message, _decoded(signature)):
        raise _refused(path, "was not signed by this device, or was altered since")
    try:
        calibration = Calibration.model_validate(yaml.safe_load(message.partition(b"---\n")[2]))
    except (yaml.YAMLError, ValidationError, ValueError, TypeError):
        raise _refused(path, "is no calibration that this version knows") from None
    models = (pack.id, pack.manifest.detector.sha256, pack.manifest.recogniser.sha256)
    if (calibration.pack, calibration.detector_sha256, calibration.recogniser_sha256) != models:
        raise _refused(path, f"was made for other models ({printable(calibration.pack)}) than those here ({pack.id})")
    return calibration


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return b""


def _refused(path: Path, what: str) -> EdgeGateError:
    return EdgeGateError(what, where=str(path), next=AGAIN)
