"""Embeddings of photographs and of sequences made of them, as the gate takes them, and as `FaceAnalysis` would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgegate.calibration import people
from edgegate.calibration.embed import Remembering
from edgegate.calibration.statistics import Indices
from edgegate.errors import EdgeGateError
from edgegate.faces import exposure
from edgegate.faces.align import mirrored
from edgegate.faces.look import Fit, find
from edgegate.faces.pack import Pack
from edgegate.faces.photos import embed_for_enrolment
from edgegate.faces.quality import assess
from edgegate.images import read_image
from edgegate.model import Image, Vector
from edgegate.ports import FaceEngine
from tests.accuracy.sequences import CONDITIONS, sequence

FRAMES = 6
Floats = NDArray[np.float32]
Whole = Callable[[Image], Vector | None]
"""One picture, one embedding of the largest face in it."""


@dataclass(frozen=True, eq=False)
class Material:
    """Photographs that enrolment takes, and a sequence for each chosen photograph and condition. Without an embedding
    there are zeros. `plain` is without `exposure.relit`."""

    photo: Indices
    """The number of each enrolled photograph."""
    person: Indices
    whole: Floats
    """Enrolled as the peer would: (photographs, dimensions)."""
    plain: Floats
    lit: Floats
    mirror: Floats
    """As `lit`, of the mirrored photograph."""
    seen_photo: Indices
    seen_person: Indices
    condition: Indices
    first: Floats
    """The first frame of each sequence as the peer would take it: (sequences, dimensions)."""
    found: NDArray[np.bool_]
    """(sequences, frames)."""
    good: NDArray[np.bool_]
    """Those which the gate compares."""
    weight: Floats
    seen_plain: Floats
    """(sequences, frames, dimensions)."""
    seen_lit: Floats

    def save(self, path: Path) -> None:
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Material:
        with np.load(path) as kept:
            return cls(**{field.name: kept[field.name] for field in fields(cls)})


def gather(images: Path, engine: FaceEngine, whole: Whole | None, singles: int) -> Material:
    """Everybody enrols. Of people with several pictures each is seen under every condition; of `singles` others, drawn
    by lot, under one condition in turn: they are impostors only."""
    album = people.read(images)
    pictures = [read_image(each.path) for each in album.pictures]
    persons = np.array([each.person for each in album.pictures], np.int32)
    whole = whole or _largest(engine)
    rows: list[tuple[int, Vector, Vector, Vector, Vector]] = []
    for number, picture in enumerate(pictures):
        try:
            embed_for_enrolment((str(number), picture), engine)
        except EdgeGateError:
            continue
        face = engine.detect(picture)[0]
        with unlit():
            plain = engine.embed(picture, face)
        other = engine.embed(*mirrored(picture, face))
        rows.append((number, _or_zeros(whole(picture), engine), plain, engine.embed(picture, face), other))
    enrolled = np.array([row[0] for row in rows], np.int32)
    several = np.bincount(persons)[persons[enrolled]] > 1
    alone = np.random.default_rng(0).permutation(enrolled[~several])[:singles]
    chosen = [(int(photo), each) for photo in enrolled[several] for each in range(len(CONDITIONS))]
    chosen += [(int(photo), number % len(CONDITIONS)) for number, photo in enumerate(alone)]
    seen = [_seen(pictures[photo], (photo, condition), engine, whole) for photo, condition in chosen]
    columns: list[NDArray[Any]] = [enrolled, persons[enrolled]]
    columns += [np.stack([row[place] for row in rows]) for place in range(1, 5)]
    columns += [np.array([photo for photo, _ in chosen], np.int32), persons[[photo for photo, _ in chosen]]]
    columns += [np.array([condition for _, condition in chosen], np.int32)]
    columns += [np.stack([each[place] for each in seen]) for place in range(6)]
    return Material(*columns)


def _seen(photo: Image, key: tuple[int, int], engine: FaceEngine, whole: Whole) -> tuple[NDArray[Any], ...]:
    """The last six columns of `Material` for one sequence."""
    found, good = np.zeros(FRAMES, np.bool_), np.zeros(FRAMES, np.bool_)
    weight = np.zeros(FRAMES, np.float32)
    plain, lit = (np.zeros((FRAMES, engine.dimensions), np.float32) for _ in range(2))
    first = np.zeros(engine.dimensions, np.float32)
    box = engine.detect(photo)[0].box
    once = Remembering(engine)
    for number, frame in enumerate(sequence(photo, box, CONDITIONS[key[1]], FRAMES, key)):
        if number == 0:
            first = _or_zeros(whole(frame), engine)
        faces = once.detect(frame)
        if not faces:
            continue
        face = faces[0]
        found[number], good[number] = True, isinstance(find(frame, once), Fit)
        weight[number] = assess(frame, face).weight
        lit[number] = once.embed(frame, face)
        with unlit():
            plain[number] = engine.embed(frame, face)
    return first, found, good, weight, plain, lit


@contextmanager
def unlit() -> Iterator[None]:
    """Without `exposure.relit`."""
    before = exposure.LEAST_CONTRAST
    exposure.LEAST_CONTRAST = 0.0
    try:
        yield
    finally:
        exposure.LEAST_CONTRAST = before


def _largest(engine: FaceEngine) -> Whole:
    def whole(picture: Image) -> Vector | None:
        with unlit():
            faces = engine.detect(picture)
            return engine.embed(picture, faces[0]) if faces else None

    return whole


def face_analysis(pack: Pack, threads: int = 1) -> Whole:
    """The peer: a detector of 640 x 640, its `norm_crop`, no mirror image, the largest face."""
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    peer = FaceAnalysis(name=str(pack.folder), providers=["CPUExecutionProvider"], sess_options=options)
    peer.prepare(0, det_thresh=0.5, det_size=(640, 640))

    def whole(picture: Image) -> Vector | None:
        faces = peer.get(picture)
        largest = max(faces, key=lambda face: float(face.bbox[2] - face.bbox[0]), default=None)
        return None if largest is None else np.asarray(largest.normed_embedding, np.float32)

    return whole


def _or_zeros(vector: Vector | None, engine: FaceEngine) -> Vector:
    return np.zeros(engine.dimensions, np.float32) if vector is None else vector
