"""From pictures to embeddings, by the gate's own rules and in several processes; they live in memory only.

A picture may serve twice: as an enrolment photograph, under the rules of enrolment, and as what the gate sees of a
person, under those of the gate's face stage. Both rules are the gate's own code, not copies of it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.calibration.people import Album
from edgegate.calibration.problems import Problem
from edgegate.calibration.statistics import Indices
from edgegate.errors import EdgeGateError, PhotoRefused
from edgegate.faces.comparison import usable
from edgegate.faces.look import find
from edgegate.faces.pack import Pack
from edgegate.faces.photos import embed_for_enrolment
from edgegate.images import read_image
from edgegate.model import Image, Look, Vector
from edgegate.ports import Face, FaceEngine

Loader: TypeAlias = Callable[[Pack], FaceEngine]
"""Verifies and loads a pack, on one thread: more would only slow the other processes, which get this by name."""
MAX_JOBS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What one picture gave. A vector that is None has its reason beside it: a code and words for a person."""

    digest: bytes
    """Of the picture's pixels; empty where there are none."""
    template: Vector | None = field(repr=False)
    probe: Vector | None = field(repr=False)
    not_enrolled: tuple[str, str] = ("", "")
    not_seen: str = ""
    weight: float = 1.0
    """How much the probe counts beside others of the same person."""


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """One row for each picture; rows without a vector are zero, and marked so."""

    templates: NDArray[np.float32]
    probes: NDArray[np.float32]
    weights: NDArray[np.float32]
    """Of the probes; 1 where there is none."""
    enrolled: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    person: Indices
    people: int
    metric: str


class Remembering:
    """Port `FaceEngine` around another: what two rules ask about one picture is computed once."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.metric, self.dimensions = engine.metric, engine.dimensions
        self._image: Image | None = None
        self._faces: list[Face] = []
        self._vectors: dict[int, Vector] = {}

    def detect(self, image: Image) -> list[Face]:
        if image is not self._image:
            self._image, self._faces, self._vectors = image, self._engine.detect(image), {}
        return list(self._faces)

    def embed(self, image: Image, face: Face) -> Vector:
        vector = self._vectors.get(id(face)) if image is self._image else None
        if vector is None:
            vector = self._engine.embed(image, face)
            if image is self._image and any(face is known for known in self._faces):
                self._vectors[id(face)] = vector.copy()
        return vector.copy()


def embed(path: Path, engine: Remembering) -> Embedded:
    """One picture, as enrolment and as the gate would take it; whatever is wrong with it is a reason, not an error."""
    try:
        image = read_image(path)
    except PhotoRefused as error:
        return Embedded(b"", None, None, (error.code, error.what), error.code)
    except EdgeGateError as error:
        return Embedded(b"", None, None, ("unreadable", error.what), "unreadable")
    digest = hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=16).digest()
    try:
        template, refused = _template(path, image, engine)
        probe, weight, missed = _probe(image, engine)
    except Exception as error:
        # Whatever a model or its library does on foreign data: this picture is lost, the others are not.
        failed = ("failed", f"the models failed on it ({type(error).__name__})")
        return Embedded(digest, None, None, failed, failed[0])
    return Embedded(digest, template, probe, refused, missed, weight)


def _template(path: Path, image: Image, engine: Remembering) -> tuple[Vector | None, tuple[str, str]]:
    try:
        vector = embed_for_enrolment((str(path), image), engine)
    except PhotoRefused as error:
        return None, (error.code, error.what)
    if not usable(vector):
        return None, ("bad_embedding", "its embedding is zero or not a number")
    return vector, ("", "")


def _probe(image: Image, engine: Remembering) -> tuple[Vector | None, float, str]:
    """What the gate would compare, and its weight; or why it would compare nothing."""
    found = find(image, engine)
    if isinstance(found, Look):
        return None, 1.0, found.value
    vector = engine.embed(image, found.face)
    return (vector, found.quality.weight, "") if usable(vector) else (None, 1.0, "bad_embedding")


def embed_all(paths: Sequence[Path], pack: Pack, load: Loader, jobs: int) -> Generator[Embedded, None, None]:
    """Each picture's embeddings, in order. One job runs here; more run in processes of their own."""
    if jobs == 1:
        engine = Remembering(load(pack))
        yield from (embed(path, engine) for path in paths)
        return
    # Forking a process that has run models may hang it.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start, (pack, load)) as pool:
        try:
            with _uninterrupted():
                found = pool.map(_embed_here, paths)
            yield from found
        except BrokenProcessPool:
            raise EdgeGateError(
                "a process ended while it embedded pictures", next="try again with fewer --jobs: memory may be short"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C, not even while they start: the parent does, and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_here: list[Remembering | EdgeGateError] = []
"""The engine of this process, once `_start` has loaded it, or why it has not."""


def _start(pack: Pack, load: Loader) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    try:
        _here[:] = [Remembering(load(pack))]
    except EdgeGateError as error:
        _here[:] = [error]  # an error here would only break the pool; the first picture tells it


def _end_with_parent() -> None:
    """A parent that is killed tells nobody: without this, its processes would keep their memory for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _embed_here(path: Path) -> Embedded:
    engine = _here[0]
    if isinstance(engine, EdgeGateError):
        raise engine
    return embed(path, engine)


def default_jobs() -> int:
    """One process for each core that this one may use."""
    return max(1, min(MAX_JOBS, len(os.sched_getaffinity(0))))


def stack(album: Album, found: Sequence[Embedded], metric: str, *, unique: bool) -> tuple[Embeddings, list[Problem]]:
    """All embeddings in two arrays, and why pictures gave none. Cosine embeddings get unit length.

    With `unique`, the same picture twice is no second look at a person: only the first counts. Under two people it is
    a mistake, and neither counts.
    """
    problems, dropped = _repeated(album, found) if unique else ([], set())
    kept = [None if number in dropped else each for number, each in enumerate(found)]
    for picture, each in zip(album.pictures, found, strict=True):
        place = f"{picture.path.parent.name}/{picture.path.name}"
        if each.not_enrolled[0]:
            also = "" if each.probe is None else "; the gate would compare it"
            problems.append(Problem(each.not_enrolled[0], place, each.not_enrolled[1] + also))
        elif each.not_seen:
            problems.append(Problem(each.not_seen, place, "the gate would not compare it, though it can be enrolled"))
    templates = [None if each is None else each.template for each in kept]
    probes = [None if each is None else each.probe for each in kept]
    data = Embeddings(
        _rows(templates, metric),
        _rows(probes, metric),
        np.array([1.0 if each is None else each.weight for each in kept], np.float32),
        np.array([vector is not None for vector in templates], np.bool_),
        np.array([vector is not None for vector in probes], np.bool_),
        np.array([picture.person for picture in album.pictures], np.int32),
        len(album.people),
        metric,
    )
    return data, problems


def _repeated(album: Album, found: Sequence[Embedded]) -> tuple[list[Problem], set[int]]:
    first: dict[bytes, int] = {}
    problems, dropped = [], set()
    for number, (picture, each) in enumerate(zip(album.pictures, found, strict=True)):
        used = each.template is not None or each.probe is not None
        before = first.setdefault(each.digest, number) if used else number
        if before == number:
            continue
        other = album.pictures[before]
        places = [f"{one.path.parent.name}/{one.path.name}" for one in (picture, other)]
        dropped.add(number)
        if other.person == picture.person:
            problems.append(Problem("repeated", places[0], f"is the same picture as {places[1]}"))
        else:
            dropped.add(before)
            problems.append(
                Problem(
                    "contradictory",
                    places[0],
                    f"is the same picture as {places[1]}, of another person; neither is used",
                )
            )
    return problems, dropped


def _rows(vectors: Sequence[Vector | None], metric: str) -> NDArray[np.float32]:
    size = next((len(vector) for vector in vectors if vector is not None), 1)
    rows = np.zeros((len(vectors), size), np.float32)
    for number, vector in enumerate(vectors):
        if vector is not None:
            rows[number] = vector / np.linalg.norm(vector) if metric == "cosine" else vector
    return rows
