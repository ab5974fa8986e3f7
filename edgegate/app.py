"""The composition root: starts a gate's parts in order, stops them in reverse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

from edgegate import BUILT, forgetting
from edgegate.adapters import (
    FaceSide,
    load_faces,
    load_liveness,
    open_book,
    open_camera,
    open_frame_reader,
    open_journal,
    open_signals,
    open_text_readers,
    open_vault,
    too_few_pictures,
)
from edgegate.camera.feed import CameraFeed
from edgegate.clock import Clock, RealClock, VirtualClock
from edgegate.config import Config
from edgegate.config_checks import RECORDED
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.fast_pace import FastPace
from edgegate.files import only_one
from edgegate.gate import Gate
from edgegate.liveness.engines import CountedLiveness
from edgegate.liveness.fake import NAME as FAKE_LIVENESS
from edgegate.liveness.fused import FusedLiveness
from edgegate.model import Pressed, Reason
from edgegate.pace import Inbox, RealPace
from edgegate.ports import Camera, Liveness, Observer
from edgegate.state import Rules
from edgegate.stores import CONSENT, Entry
from edgegate.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

DAY_S = 86_400


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
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """`camera` and `clock` stand in for those of the configuration; `at_frame` goes with pace: fast; `beat` is
        called after each turn of the loop that did its work."""
        self.config = config
        fast = config.camera.pace == "fast"
        self._machine: Clock = clock or (VirtualClock() if fast else RealClock())
        self.faces: FaceSide | None = None
        self.liveness: CountedLiveness | None = None
        self._stack = ExitStack()
        try:
            self._build(
                camera or open_camera(config),
                observers,
                lines=lines,
                until_end=until_end,
                at_frame=at_frame,
                beat=beat,
            )
        except BaseException:
            self._stack.close()
            raise

    def _build(
        self,
        camera: Camera,
        observers: Sequence[Observer],
        *,
        lines: BinaryIO | None,
        until_end: bool,
        at_frame: Callable[[float], None],
        beat: Callable[[], None],
    ) -> None:
        config, machine, keep = self.config, self._machine, self._stack.callback
        self.inbox = Inbox()
        self._stack.enter_context(only_one(config.journal.path.with_suffix(".lock")))
        self.signals = open_signals(config, lambda button: self.inbox.post(Pressed(button)))
        keep(self.signals.close)
        book = open_book(config)
        self.vault = open_vault(config, create=True)
        keep(self.vault.close)
        self.journal = open_journal(config, create=True)
        keep(self.journal.close)
        self.clock = TrustedClock(machine, self.journal.known_time, BUILT)
        self._load_faces()

        self.feed = CameraFeed(camera, machine, always=config.camera.open == "always")
        keep(self.feed.close)
        self.feed.open()
        frame_reader = open_frame_reader(config, book)
        text_readers = open_text_readers(config, book, self.signals.factory, lines)
        fps = config.camera.fps
        self.pace: FastPace | RealPace
        if isinstance(machine, VirtualClock):
            self.pace = FastPace(
                self.feed,
                self.inbox,
                machine,
                frame_reader=frame_reader,
                text_readers=text_readers,
                fps=fps,
                until_end=until_end,
                at_frame=at_frame,
                beat=beat,
            )
        else:
            self.pace = RealPace(
                self.feed,
                self.inbox,
                frame_reader=frame_reader,
                text_readers=text_readers,
                fps=fps,
                paced=config.camera.kind in RECORDED,
                until_end=until_end,
                beat=beat,
            )
        self.gate = Gate(
            rules=rules(config),
            clock=self.clock,
            book=book,
            vault=self.vault,
            faces=self.faces.looker(self._load_liveness(self.faces)) if self.faces else None,
            journal=self.journal,
            signals=self.signals,
            withdraw=self._withdraw,
            max_age_s=config.camera.max_age_s,
            health=(self.feed.faults, self.pace.faults, self.clock.faults),
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
            "faces: pack %s, threshold %.3f for FMR %g per %s, measured on %s; licence: detector %s, recogniser %s",
            manifest.name,
            self.faces.threshold,
            self.config.faces.target_fmr,
            "presentation" if self.faces.calibrated else "comparison",
            manifest.measured_on,
            manifest.licence.detector,
            manifest.licence.recogniser,
        )
        if manifest.engine == "dlib" and not self.faces.calibrated:
            log.warning(
                "faces: the embedded pack is for a first look: at FMR 1e-4 it sends three in ten to the supervisor; "
                "see models/README.md for others"
            )
        if manifest.engine == "fake":
            log.warning("faces: pack `fake` knows coloured squares, not faces; never use it at a door")

    def _load_liveness(self, faces: FaceSide) -> Liveness | None:
        mode, fake = self.config.faces.liveness, self.config.faces.liveness_pack == FAKE_LIVENESS
        if mode == "off":
            return None
        self.liveness = engine = load_liveness(self.config, faces.pack)
        log.info("liveness: %s, pack %s; advice only, unless it was measured on this camera", mode, engine.name)
        if warning := too_few_pictures(self.config):
            log.warning("liveness: %s", warning)
        if fake:
            log.warning("liveness: pack `fake` knows cyan screens, not pictures of faces; never use it at a door")
        return FusedLiveness(engine, with_cues=not fake)

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

    def _withdraw(self, handle: bytes) -> str:
        """Forget this consent and its template. Returns what the journal says of the search for them."""
        return forgetting.searched(self.vault.withdraw(handle), self.config, self.vault.compact)

    def _chores(self, now: int) -> list[Entry]:
        """What is past its date goes: badges, consents, old journal rows. Returns a row for every consent that ends.

        No row names its badge: nobody stood at the gate, and when a consent ends is no business of the journal's.
        """
        erased = self.vault.purge(now)
        detail = forgetting.searched(erased, self.config, self.vault.compact) if erased.rows else ""
        self.journal.end_day(now)
        self.journal.purge(now - self.config.journal.retention_days * DAY_S)
        return [Entry(now, CONSENT, reason="lapsed", detail=detail)] * erased.consents


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
        enforce_liveness=config.faces.liveness == "enforce",
    )
