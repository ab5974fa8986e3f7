"""The packs: their files are those that they name, the licence lets a school use them, the threshold was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from shlex import join, quote

from edgegate.calibration import record
from edgegate.device_key import public_path
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces import catalogue
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.faces.pack import MANIFEST, AnyPack, LivenessPack, Pack
from edgegate.files import exists
from edgegate.liveness.fake import NAME as FAKE_LIVENESS
from edgegate.prove.record import SIGNED, device
from edgegate.prove.report import Claim, Found, Hand, fails, find, holds, judged, unchecked
from edgegate.prove.scene import Scene


def pack(scene: Scene) -> Pack:
    """The one that the gate would take. Raises ModelsMissing, EdgeGateError."""
    faces = scene.config.faces
    return catalogue.choose(faces.pack, faces.models_dir, lambda found: record.measured(found, faces.models_dir))


def manifest(found: Pack) -> Path:
    """Where the pack says what it is; that of the embedded one comes with EdgeGate."""
    own = found.folder / MANIFEST
    return own if own.is_file() else Path(catalogue.__file__).with_name("dlib.pack.yaml")


def of_the_pack(name: str, look: Callable[[Pack, Scene], Found], by_hand: Callable[[Pack, Scene], Hand]) -> Claim:
    """A claim about the pack. Where there is none it cannot be looked at, and of the fake one it is not true."""

    def looked(scene: Scene) -> Found:
        try:
            found = pack(scene)
        except ModelsMissing:
            return unchecked("no_pack")
        return fails("fake") if found is FAKE_PACK else look(found, scene)

    def shown(scene: Scene) -> Hand:
        try:
            found = pack(scene)
        except ModelsMissing:
            return Hand(find((scene.config.faces.models_dir,), "-name", MANIFEST))
        if found is FAKE_PACK:
            return Hand(join(["grep", "-c", "pack:.*fake", str(scene.config.file.absolute())]), "0")
        return by_hand(found, scene)

    return Claim(name, looked, shown)


def _files(found: AnyPack) -> dict[Path, str]:
    """Hashes by file, as the manifest has them."""
    return {found.folder / part.file: part.sha256 for part in found.manifest.files}


def _hashes(found: AnyPack, scene: Scene) -> Found:
    wrong = _wrong(found)
    return judged(wrong, pack=found.name, files=", ".join(wrong or [path.name for path in _files(found)]))


def _wrong(found: AnyPack) -> list[str]:
    """The names of files that are not those that the pack names."""
    wrong = []
    for path, expected in _files(found).items():
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                wrong.append(path.name)
    return wrong


def _by_sum(found: AnyPack, scene: Scene) -> Hand:
    files = _files(found)
    return Hand(
        join(["sha256sum", *map(str, files)]), "\n".join(f"{expected}  {path}" for path, expected in files.items())
    )


def _licence(found: Pack, scene: Scene) -> Found:
    told = found.manifest.licence
    return judged(not told.distributable, pack=found.name, detector=told.detector, recogniser=told.recogniser)


def _threshold(found: Pack, scene: Scene) -> Found:
    fmr = scene.config.faces.target_fmr
    own = calibration(found, scene)
    try:
        threshold = (measured(found, own) if own else found).threshold(fmr)
    except EdgeGateError as error:
        return fails("none", error=error)
    told = own.measured_on if own else found.manifest.measured_on
    values = {"pack": found.name, "threshold": f"{threshold:.3f}", "fmr": f"{fmr:g}", "data": told}
    if own:
        return holds("calibrated", device=own.device, **values)
    return judged(told == "not stated", **values)


def _by_data(found: Pack, scene: Scene) -> Hand:
    """Of the manifest, or of what was measured here and signed."""
    path = record.place(found, scene.config.faces.models_dir)
    if not exists(path):
        return _by_grep("^measured_on:")(found, scene)
    file, public = quote(str(path)), quote(str(public_path(scene.config.gate.device_key)))
    return Hand(
        f"d=$(mktemp -d) && head -n -1 {file} > $d/text && "
        f"tail -n 1 {file} | sed 's/^signature: //' | base64 -d > $d/sig && "
        f"openssl pkeyutl -verify -pubin -inkey {public} -rawin -in $d/text -sigfile $d/sig; rm -r $d",
        SIGNED,
    )


def calibration(found: Pack, scene: Scene) -> record.Calibration | None:
    """What was measured with this pack here. Raises EdgeGateError when it is not to be believed."""
    return record.find(found, scene.config.faces.models_dir, device(scene))


def measured(found: Pack, own: record.Calibration) -> Pack:
    """The pack under the thresholds of a calibration."""
    return found.with_thresholds(own.thresholds, own.measured_on)


def _by_grep(words: str) -> Callable[[Pack, Scene], Hand]:
    return lambda found, scene: Hand(join(["grep", "-cE", words, str(manifest(found))]), "1")


def _liveness_pack(scene: Scene) -> LivenessPack | None:
    """The one that is asked for; None for `off`, and for the fake one."""
    faces = scene.config.faces
    if faces.liveness == "off" or faces.liveness_pack == FAKE_LIVENESS:
        return None
    return catalogue.choose_liveness(faces.liveness_pack, faces.models_dir)


def _liveness(scene: Scene) -> Found:
    mode, found = scene.config.faces.liveness, _liveness_pack(scene)
    if found is None:
        return holds("unasked") if mode == "off" else fails("fake")
    wrong = _wrong(found)
    files = ", ".join(wrong or [path.name for path in _files(found)])
    values = {"pack": found.name, "files": files, "licence": found.manifest.licence.model}
    return fails(**values) if wrong else holds(mode, **values)


def _by_mode(scene: Scene) -> Hand:
    found = _liveness_pack(scene)
    if found is not None:
        return _by_sum(found, scene)
    return Hand(join(["grep", "-cE", _ASKED_FOR, str(scene.config.file.absolute())]), "0")


_ASKED_FOR = "^[^#]*liveness[\"']?: *[\"']?(advisory|enforce)"

CLAIMS = (
    of_the_pack("faces.hashes", _hashes, _by_sum),
    of_the_pack("faces.licence", _licence, _by_grep("distributable: *true")),
    of_the_pack("faces.threshold", _threshold, _by_data),
    Claim("faces.liveness", _liveness, _by_mode),
)
