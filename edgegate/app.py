"""The composition root: the only file that names concrete adapters. Starts them in order, stops in reverse."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from edgegate.badges.credential import CredentialBook
from edgegate.badges.decoders import decoder
from edgegate.badges.issuer import load_public
from edgegate.badges.lines import LineReader
from edgegate.badges.qr import QrReader
from edgegate.camera.feed import CameraFeed
from edgegate.camera.recorded import FramesCamera, VideoCamera
from edgegate.camera.stage import passers_by
from edgegate.camera.v4l2 import V4l2Camera
from edgegate.clock import Clock, RealClock, VirtualClock
from edgegate.config import Config, StdinReader
from edgegate.config import QrReader as QrSettings
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces import catalogue
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine
from edgegate.faces.look import CountedEngine, FaceLook
from edgegate.faces.pack import Pack
from edgegate.files import only_one
from edgegate.gate import Gate
from edgegate.journal.store import SqliteJournal
from edgegate.model import Button, Pressed, Reason
from edgegate.pace import FastPace, Inbox, RealPace
from edgegate.ports import Camera, Entry, FaceEngine, Observer
from edgegate.signals.gpio import OUTPUTS, GpioSignals
from edgegate.signals.pins import factory
from edgegate.state import Rules
from edgegate.vault import secret
from edgegate.vault.store import SqliteVault

log = logging.getLogger(__name__)

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class FaceSide:
    """A loaded pack, ready to compare."""

    pack: Pack
    engine: CountedEngine
    threshold: float

    def looker(self) -> FaceLook:
        return FaceLook(self.engine, self.pack.id, self.threshold)


def open_book(config: Config) -> CredentialBook:
    """The badges of the issuers this gate trusts."""
    return CredentialBook(load_public(config.badges.issuers))


def open_vault(config: Config, *, create: bool = False) -> SqliteVault:
    """The vault; with `create`, an empty one where there is none."""
    return SqliteVault(config.vault.path, secret.load(config.vault.site_secret), create=create)


def open_journal(config: Config, *, create: bool = False) -> SqliteJournal:
    """The journal; with `create`, an empty one where there is none."""
    return SqliteJournal(config.journal.path, config.gate.name, create=create)


def load_faces(config: Config, setting: str | None = None) -> FaceSide:
    """Choose, verify and load a pack. Raises ModelsMissing when there is none at all, EdgeGateError when the
    one chosen is not what its manifest says."""
    pack = catalogue.choose(setting or config.faces.pack, config.faces.models_dir)
    threshold = pack.threshold(config.faces.target_fmr)
    engine = _engine(pack)
    recogniser = pack.manifest.recogniser
    if (engine.metric, engine.dimensions) != (recogniser.metric, recogniser.dimensions):
        raise EdgeGateError(
            f"pack {pack.name} says {recogniser.dimensions} dimensions by {recogniser.metric}, its engine gives "
            f"{engine.dimensions} by {engine.metric}: its thresholds would mean nothing",
            where=str(pack.folder),
            next="correct pack.yaml, and measure the thresholds again",
        )
    return FaceSide(pack, CountedEngine(engine), threshold)


def _engine(pack: Pack) -> FaceEngine:
    if pack is FAKE_PACK:
        return FakeEngine()
    pack.verify()
    # Each engine's libraries are imported only when it is chosen: insightface alone takes 1.4 s and 116 MB.
    if pack.manifest.engine == "dlib":
        from edgegate.faces.dlib_engine import DlibEngine

        return DlibEngine(pack)
    from edgegate.faces.insightface_engine import InsightfaceEngine

    return InsightfaceEngine(pack)


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
        case _:
            return V4l2Camera(camera.argument, camera.width, camera.height, camera.fps)


def open_signals(config: Config, on_press: Callable[[Button], None]) -> GpioSignals:
    """Lights and buttons, at their fault values."""
    settings = config.signals
    names = (*OUTPUTS, *(button.value for button in Button))
    return GpioSignals(factory(settings.pins), {name: getattr(settings, name) for name in names}, on_press)


class App:
    """One gate from its configuration. Use as a context manager; `run` returns when it is stopped or over."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        camera: Camera | None = None,
        observers: Sequence[Observer] = (),
        lines: BinaryIO | None = None,
        until_end: bool = False,
        at_frame: Callable[[float], None] = lambda now: None,
    ) -> None:
        """`camera` and `clock` stand in for those of the configuration; `at_frame` goes with pace: fast."""
        self.config = config
        fast = config.camera.pace == "fast"
        self.clock: Clock = clock or (VirtualClock() if fast else RealClock())
        self.faces: FaceSide | None = None
        self._stack = ExitStack()
        try:
            self._build(camera or open_camera(config), observers, lines, until_end, at_frame)
        except BaseException:
            self._stack.close()
            raise

    def _build(
        self,
        camera: Camera,
        observers: Sequence[Observer],
        lines: BinaryIO | None,
        until_end: bool,
        at_frame: Callable[[float], None],
    ) -> None:
        config, clock, keep = self.config, self.clock, self._stack.callback
        self.inbox = Inbox()
        self._stack.enter_context(only_one(config.journal.path.with_suffix(".lock")))
        self.signals = open_signals(config, lambda button: self.inbox.post(Pressed(button)))
        keep(self.signals.close)
        book = open_book(config)
        self.vault = open_vault(config, create=True)
        keep(self.vault.close)
        self.journal = open_journal(config, create=True)
        keep(self.journal.close)
        self._load_faces()

        self.feed = CameraFeed(camera, clock)
        keep(self.feed.close)
        self.feed.open()
        kinds = {type(reader): reader for reader in config.badges.readers}
        qr = kinds.get(QrSettings)
        frame_reader = QrReader(decoder(qr.decoder), book) if isinstance(qr, QrSettings) else None
        text_reader = LineReader(lines or _stdin(), book) if StdinReader in kinds else None
        fps = config.camera.fps
        self.pace: FastPace | RealPace
        if isinstance(clock, VirtualClock):
            self.pace = FastPace(
                self.feed,
                self.inbox,
                clock,
                frame_reader=frame_reader,
                text_reader=text_reader,
                fps=fps,
                until_end=until_end,
                at_frame=at_frame,
            )
        else:
            self.pace = RealPace(
                self.feed,
                self.inbox,
                frame_reader=frame_reader,
                text_reader=text_reader,
                fps=fps,
                paced=config.camera.kind != "v4l2",
                until_end=until_end,
            )
        self.gate = Gate(
            rules=rules(config),
            clock=clock,
            book=book,
            vault=self.vault,
            faces=self.faces.looker() if self.faces else None,
            journal=self.journal,
            signals=self.signals,
            max_age_s=config.camera.max_age_s,
            health=(self.feed.faults, self.pace.faults),
            observers=observers,
            chores=self._chores,
        )
        keep(self.gate.close)

    def _load_faces(self) -> None:
        try:
            self.faces = load_faces(self.config)
        except ModelsMissing as error:
            log.error("%s: %s", Reason.MODELS_MISSING.value, error)
            return
        manifest = self.faces.pack.manifest
        log.info(
            "faces: pack %s, threshold %.3f for FMR %g per comparison, measured on %s; "
            "licence: detector %s, recogniser %s",
            manifest.name,
            self.faces.threshold,
            self.config.faces.target_fmr,
            manifest.measured_on,
            manifest.licence.detector,
            manifest.licence.recogniser,
        )
        if manifest.engine == "dlib":
            log.warning(
                "faces: the embedded pack is for a first look: at FMR 1e-4 it sends three in ten to the supervisor; "
                "see models/README.md for others"
            )
        if manifest.engine == "fake":
            log.warning("faces: pack `fake` knows coloured squares, not faces; never use it at a door")

    def run(self) -> None:
        """The loop, in this thread."""
        self._note("start")
        try:
            self.pace.run(self.gate)
        finally:
            self._note("stop")

    def stop(self) -> None:
        """Ask the loop to end; may be called from a signal handler or another thread."""
        self.pace.stop()

    def close(self) -> None:
        """Outputs to their fault values first, then everything else, in reverse order of start."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note(self, kind: str) -> None:
        try:
            self.journal.append(Entry(at=int(self.clock.wall()), kind=kind))
        except EdgeGateError as error:
            log.error("journal: %s", error)

    def _chores(self, now: int) -> None:
        """What is past its date goes: badges, consents, old journal rows."""
        self.vault.purge(now)
        self.journal.purge(now - self.config.journal.retention_days * DAY_S)


def _stdin() -> BinaryIO:
    """Standard input; a daemon started without one reads nothing."""
    return sys.stdin.buffer if sys.stdin is not None else io.BytesIO()


def rules(config: Config) -> Rules:
    """The figures of the configuration that the decision works with."""
    hold = config.gate.hold
    return Rules(
        granted_s=hold.granted_s,
        refer_s=hold.refer_s,
        alarm_s=hold.alarm_s,
        buzzer_max_s=config.signals.buzzer_max_s,
        look_s=config.faces.timeout_s,
        min_probes=config.faces.min_probes,
    )
