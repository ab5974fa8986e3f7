"""Builds what the configuration names: the only file that knows which adapter is which. `app` joins them to a gate."""

from __future__ import annotations

import io
import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gpiozero import Factory

from edgegate import device_key
from edgegate.badges.credential import CredentialBook
from edgegate.badges.decoders import decoder
from edgegate.badges.hid import HidKeyboard
from edgegate.badges.issuer import load_public
from edgegate.badges.lines import LineReader
from edgegate.badges.qr import QrReader
from edgegate.badges.serial_reader import SerialLine
from edgegate.badges.typed import TypedCodes
from edgegate.badges.wiegand import WiegandLines
from edgegate.calibration import record
from edgegate.calibration.record import Calibration
from edgegate.camera.gstreamer import GstreamerCamera
from edgegate.camera.picamera2 import Picamera2Camera
from edgegate.camera.recorded import FramesCamera, VideoCamera
from edgegate.camera.rtsp import RtspCamera
from edgegate.camera.stage import passers_by
from edgegate.camera.v4l2 import V4l2Camera
from edgegate.config import Config, HidReader, OwnReader, SerialReader, StdinReader, WiegandReader
from edgegate.config import QrReader as QrSettings
from edgegate.errors import EdgeGateError
from edgegate.faces import catalogue
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine
from edgegate.faces.look import CountedEngine, FaceLook
from edgegate.faces.manifest import MANIFEST, MAX_MANIFEST_BYTES
from edgegate.faces.pack import Pack
from edgegate.files import read_small
from edgegate.journal.store import SqliteJournal
from edgegate.liveness.engines import CountedLiveness
from edgegate.liveness.engines import open_engine as open_liveness
from edgegate.liveness.fake import NAME as FAKE_LIVENESS
from edgegate.liveness.fake import FakeLivenessEngine
from edgegate.liveness.fused import MIN_LOOKS
from edgegate.model import Button
from edgegate.ports import Camera, FaceEngine, Liveness, LivenessEngine, Reader
from edgegate.signals.gpio import GpioSignals
from edgegate.signals.pins import factory
from edgegate.signals.wiring import Wiring
from edgegate.stores import Signer
from edgegate.vault import secret
from edgegate.vault.store import SqliteVault

log = logging.getLogger(__name__)

_WITHOUT_POINTS = ("dlib", FAKE_PACK.name)
"""Face engines whose faces are boxes only."""


@dataclass(frozen=True, slots=True)
class FaceSide:
    """A loaded pack, ready to compare."""

    pack: Pack
    """Under the thresholds of this device's own calibration, if there is one."""
    engine: CountedEngine
    threshold: float
    per_pair: Pack
    """The same under thresholds for one picture against one other, as enrolment compares photographs."""
    calibrated: bool = False
    """Is the threshold this device's own, and so per presentation?"""

    def looker(self, liveness: Liveness | None = None) -> FaceLook:
        return FaceLook(self.engine, self.pack.id, self.threshold, liveness)


def open_book(config: Config) -> CredentialBook:
    """The badges of the issuers this gate trusts, and the plain numbers it allows."""
    badges = config.badges
    plain = set(badges.formats) if badges.allow_plain else set()
    return CredentialBook(load_public(badges.issuers), plain_typed="typed" in plain, plain_seen=bool(plain - {"typed"}))


def open_vault(config: Config, *, create: bool = False) -> SqliteVault:
    """The vault; with `create`, an empty one where there is none."""
    return SqliteVault(config.vault.path, secret.load(config.vault.site_secret), create=create)


def open_journal(config: Config, *, create: bool = False, daemon: bool | None = None) -> SqliteJournal:
    """The journal; with `create`, an empty one where there is none.

    The daemon (unless told otherwise, whoever creates) signs what it purges, and leaves the day's key in systemd's
    runtime directory; a command only checks signatures.
    """
    path, gate, key = config.journal.path, config.gate.name, config.gate.device_key
    if not (create if daemon is None else daemon):
        return SqliteJournal(path, gate, create=create, verifier=_public_key(key))
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return SqliteJournal(path, gate, create=create, signer=_signer(key), runtime=Path(runtime) if runtime else None)


def _signer(path: Path) -> Signer | None:
    try:
        return device_key.load(path)
    except EdgeGateError as error:
        log.warning("device key: %s; until then what is purged from the journal is not signed", error)
        return None


def _public_key(path: Path) -> device_key.PublicKey | None:
    """None where this device has no key: then nobody signed anything, or the journal says that it cannot tell."""
    try:
        return device_key.load_public(path)
    except device_key.DeviceKeyMissing:
        return None
    except EdgeGateError as error:
        log.warning("device key: %s", error)
        return None


def load_faces(config: Config, setting: str | None = None) -> FaceSide:
    """Choose, verify and load a pack. Raises ModelsMissing when there is none at all, EdgeGateError when the
    one chosen is not what its manifest says."""
    chosen = choose_faces(config, setting)
    own = find_calibration(config, chosen)
    pack = chosen.with_thresholds(own.thresholds, own.measured_on) if own else chosen
    pairs = chosen.with_thresholds(own.thresholds_per_pair, own.measured_on) if own else chosen
    threshold = pack.threshold(config.faces.target_fmr)
    return FaceSide(pack, CountedEngine(open_engine(chosen)), threshold, pairs, own is not None)


def choose_faces(config: Config, setting: str | None = None) -> Pack:
    """The pack that the gate would take, not loaded. Raises as `catalogue.choose`."""
    models_dir = config.faces.models_dir
    return catalogue.choose(setting or config.faces.pack, models_dir, lambda pack: record.measured(pack, models_dir))


def find_calibration(config: Config, pack: Pack) -> Calibration | None:
    """What this device measured of a pack. Raises EdgeGateError for a calibration that the gate refuses."""
    return record.find(pack, config.faces.models_dir, _public_key(config.gate.device_key))


def load_liveness(config: Config, faces: Pack | None, setting: str | None = None) -> CountedLiveness:
    """The engine of a liveness pack: `fake`, a name, or a directory. Raises EdgeGateError where there is none, where
    its files are not those of its manifest, or where it cannot judge the faces that the pack `faces` finds."""
    setting = setting or config.faces.liveness_pack
    engine: LivenessEngine = FakeLivenessEngine()
    if setting != FAKE_LIVENESS:
        engine = _liveness_engine(setting, config.faces.models_dir)
    if engine.needs_points and faces is not None and faces.manifest.engine in _WITHOUT_POINTS:
        raise EdgeGateError(
            f"liveness pack {engine.name} needs five points of each face, which the engine "
            f"{faces.manifest.engine} does not find",
            where="faces.liveness_pack",
            next="choose another liveness pack, or a face pack of the engine opencv or insightface",
        )
    return CountedLiveness(engine)


def too_few_pictures(config: Config) -> str:
    """One line where the camera cannot give so many pictures in `faces.timeout_s` as liveness asks for; else empty."""
    faces, fps = config.faces, config.camera.fps
    if faces.liveness == "off" or faces.timeout_s * fps >= MIN_LOOKS:
        return ""
    return (
        f"faces.timeout_s: {faces.timeout_s:g} s at {fps:g} pictures a second are fewer than the {MIN_LOOKS} looks "
        f"that liveness asks for, and no volunteer will pass; raise it to {math.ceil(MIN_LOOKS / fps) + 1} or more"
    )


def _liveness_engine(setting: str, models_dir: Path) -> LivenessEngine:
    pack = catalogue.choose_liveness(setting, models_dir)
    path = pack.folder / MANIFEST
    return open_liveness(read_small(path, MAX_MANIFEST_BYTES, missing="import the pack again"), path, pack.read)


def open_engine(pack: Pack, threads: int = 0) -> FaceEngine:
    """Verify and load a pack's models; they run on so many threads (0: as the library likes)."""
    engine = _engine(pack, threads)
    recogniser = pack.manifest.recogniser
    if (engine.metric, engine.dimensions) != (recogniser.metric, recogniser.dimensions):
        raise EdgeGateError(
            f"pack {pack.name} says {recogniser.dimensions} dimensions by {recogniser.metric}, its engine gives "
            f"{engine.dimensions} by {engine.metric}: its thresholds would mean nothing",
            where=str(pack.folder),
            next="correct pack.yaml, and measure the thresholds again",
        )
    return engine


def _engine(pack: Pack, threads: int) -> FaceEngine:
    if pack == FAKE_PACK:
        return FakeEngine()
    # Each engine's libraries are imported only when it is chosen: insightface alone takes 1.4 s and 116 MB.
    if pack.manifest.engine == "opencv":
        from edgegate.faces.opencv_engine import OpencvEngine

        return OpencvEngine(pack, threads)  # hashes what it loads
    pack.verify()
    if pack.manifest.engine == "dlib":
        from edgegate.faces.dlib_engine import DlibEngine

        return DlibEngine(pack)
    from edgegate.faces.insightface_engine import InsightfaceEngine

    return InsightfaceEngine(pack, threads)


def open_camera(config: Config) -> Camera:
    """The camera the configuration names, not opened yet."""
    camera = config.camera
    match camera.kind:
        case "frames":
            return FramesCamera(Path(camera.argument))
        case "video":
            return VideoCamera(Path(camera.argument))
        case "demo":
            return passers_by(camera.width, camera.height)
        case "picamera2":
            return Picamera2Camera(int(camera.argument), camera.width, camera.height, camera.fps)
        case "gstreamer":
            return GstreamerCamera(camera.argument, camera.width, camera.height, camera.fps)
        case "rtsp":
            return RtspCamera(camera.source, camera.width, camera.height, camera.fps)
        case _:
            return V4l2Camera(camera.argument, camera.width, camera.height, camera.fps, camera.format)


def open_signals(config: Config, on_press: Callable[[Button], None]) -> GpioSignals:
    """Lights and buttons, at their fault values."""
    settings = config.signals
    return GpioSignals(factory(settings.pins), Wiring.of(settings), on_press)


def open_frame_reader(config: Config, book: CredentialBook) -> QrReader | None:
    """What looks for badges in the camera's pictures; None where the camera reads none."""
    qr = next((reader for reader in config.badges.readers if isinstance(reader, QrSettings)), None)
    return QrReader(decoder(qr.decoder, config.badges.formats), book) if qr is not None else None


def open_text_readers(config: Config, book: CredentialBook, pins: Factory, lines: BinaryIO | None) -> list[TypedCodes]:
    """The readers that are no camera. `lines` stands in for standard input."""
    return [
        TypedCodes(open_reader(reader, lines, pins), book)
        for reader in config.badges.readers
        if not isinstance(reader, QrSettings)
    ]


def open_reader(reader: OwnReader, lines: BinaryIO | None, pins: Factory) -> Reader:
    """One of the readers that are no camera, not opened yet. `pins` are those of the lights."""
    match reader:
        case HidReader():
            return HidKeyboard(reader.device, reader.layout)
        case SerialReader():
            return SerialLine(reader.device, reader.baud, reader.terminator)
        case WiegandReader():
            return WiegandLines(pins, reader.d0, reader.d1, reader.bits)
        case StdinReader():
            return LineReader(lines or _stdin())


def _stdin() -> BinaryIO:
    """Standard input; a daemon started without one reads nothing."""
    return sys.stdin.buffer if sys.stdin is not None else io.BytesIO()
