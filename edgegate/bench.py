"""What the gate's work costs on this machine, side by side with the models alone. Prints, never asserts."""

from __future__ import annotations

import io
import os
import platform
import tempfile
from collections.abc import Callable
from contextlib import closing, redirect_stderr
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, time

import numpy as np

from edgegate import enrolment
from edgegate.adapters import open_book, open_vault
from edgegate.app import App
from edgegate.badges import issuer
from edgegate.badges.decoders import PyzbarDecoder, ZxingDecoder
from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.camera.scripted import Sensor
from edgegate.clock import VirtualClock
from edgegate.demo.cast import Cast, prepare
from edgegate.images import grey
from edgegate.model import Code, CodeSeen, Consent, Credential, Frame, Image, Template
from edgegate.ports import DecisionNote, Decoder, FaceEngine, Note

PERSON = "astronaut"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured work: milliseconds over `trials` repetitions."""

    work: str
    median: float
    p95: float
    p99: float
    trials: int


@dataclass(frozen=True, slots=True)
class Report:
    """All figures, and decision against models: the ratio of the two p95."""

    machine: str
    pack: str
    figures: tuple[Figure, ...]
    decision_ratio: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class _Latencies:
    """Port `Observer`: keeps what the gate says of its own computing time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def note(self, note: Note) -> None:
        if isinstance(note, DecisionNote) and note.reason == "match":
            self.seconds.append(note.latency_ms / 1000)


def run(pack: str, rounds: int, badges: int) -> Report:
    """Measure in a temporary folder. `badges` is how many entries the vault holds."""
    with tempfile.TemporaryDirectory(prefix="edgegate-bench-") as folder:
        cast = prepare(Path(folder), language="en", pace="fast", pack=pack)
        dice = np.random.default_rng(0)
        sensor = Sensor(dice)
        pictures = [
            sensor.expose(compose(Scene((portrait(PERSON),), cast.badges[PERSON], "phone"), 1280, 720, dice))
            for _ in range(min(rounds, 20))
        ]
        text = enrolment.read_badge(Path(folder) / f"{PERSON}.png")
        figures = [*_scanning(pictures, rounds), _credential(cast, text, rounds), _vault(cast, badges, rounds)]
        models, decision = _decisions(cast, text, pictures, rounds)
        figures += [models, decision]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return Report(machine, Path(pack).name, tuple(figures), decision.p95 / models.p95)


def _scanning(pictures: list[Image], rounds: int) -> list[Figure]:
    greys = [grey(picture) for picture in pictures]
    decoders: tuple[Decoder, ...] = (ZxingDecoder(), PyzbarDecoder())
    return [
        _measure(f"scan 1280x720 for QR: {decoder.name}", rounds, partial(_scan, decoder, greys))
        for decoder in decoders
    ]


def _scan(decoder: Decoder, greys: list[Image], number: int) -> object:
    return decoder.decode(greys[number % len(greys)], 0.0)


def _credential(cast: Cast, text: str, rounds: int) -> Figure:
    book = open_book(cast.config)
    return _measure("verify a badge's signature", rounds, lambda n: book.verify(text))


def _vault(cast: Cast, badges: int, rounds: int) -> Figure:
    """Look-up and unsealing among `badges` entries, in a vault of its own."""
    config = cast.config.model_copy(
        update={"vault": cast.config.vault.model_copy(update={"path": cast.config.vault.path.with_name("many.db")})}
    )
    now = int(time())
    signer = issuer.load_private(config.badges.issuers[0], None)
    book = open_book(config)
    some: list[Credential] = []
    with closing(open_vault(config, create=True)) as vault:
        for number in range(badges):
            enrolled = enrolment.issue(
                vault,
                signer,
                template=Template(np.ones(128, np.float32), "bench"),
                consent=Consent("both", "bench", now, now + 1000, "en"),
                expires=now + 1000,
                now=now,
            )
            found = book.verify(enrolled.text) if number % max(1, badges // 50) == 0 else None
            if isinstance(found, Credential):
                some.append(found)

        def once(n: int) -> None:
            credential = some[n % len(some)]
            vault.standing(credential)
            vault.unseal(credential, "bench").wipe()

        return _measure(f"vault: look up and unseal among {badges}", rounds * 5, once)


def _decisions(cast: Cast, text: str, pictures: list[Image], rounds: int) -> tuple[Figure, Figure]:
    """Detector and recogniser alone, then badge to decision on the first probe, on the same pictures in turn."""
    clock, latencies = VirtualClock(), _Latencies()
    alone: list[float] = []
    with redirect_stderr(io.StringIO()), App(cast.config, clock=clock, observers=(latencies,)) as app:
        if app.faces is None:
            raise RuntimeError("the demo's pack did not load")
        engine: FaceEngine = app.faces.engine
        for number in range(rounds):
            picture = pictures[number % len(pictures)]
            start = perf_counter()
            engine.embed(picture, engine.detect(picture)[0])
            alone.append(perf_counter() - start)
            clock.advance_to(clock.monotonic() + 5)
            app.feed.pump()
            app.gate.turn()
            app.gate.turn([CodeSeen(Code(text, steady=False))], Frame(number + 1, clock.monotonic(), picture))
    return _figure("detector + recogniser alone", alone), _figure("badge to decision, first probe", latencies.seconds)


def _measure(work: str, rounds: int, once: Callable[[int], object]) -> Figure:
    once(0)
    seconds = []
    for number in range(rounds):
        start = perf_counter()
        once(number)
        seconds.append(perf_counter() - start)
    return _figure(work, seconds)


def _figure(work: str, seconds: list[float]) -> Figure:
    median, p95, p99 = (round(float(value) * 1000, 2) for value in np.percentile(seconds, [50, 95, 99]))
    return Figure(work, median, p95, p99, len(seconds))
