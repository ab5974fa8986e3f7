"""From photographs to a template, and the comparison of two photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from edgegate.errors import EdgeGateError, PhotoRefused
from edgegate.faces.comparison import mean, score
from edgegate.faces.quality import (
    ENROL_MIN_SHARPNESS,
    ENROL_MIN_WIDTH,
    ENROL_RIVAL,
    RIVAL,
    rivals,
    sharpness,
)
from edgegate.memory import Wiped
from edgegate.model import Image, Template, Vector
from edgegate.ports import FaceEngine

Photo: TypeAlias = tuple[str, Image]
"""A name for messages, and the picture."""

MAX_PHOTOS = 20


def enrol(photos: Sequence[Photo], engine: FaceEngine, pack_id: str, agree: float) -> Template:
    """The mean embedding of one or more photographs of one person.

    `agree` is the score that two photographs of one person must reach. Raises PhotoRefused, whose `where` is
    the photograph's name, with the codes no_face, several_faces, too_small, blurred and disagree.
    """
    if not 0 < len(photos) <= MAX_PHOTOS:
        raise EdgeGateError(f"{len(photos)} photographs given", next=f"give 1 to {MAX_PHOTOS} with --photo")
    with Wiped() as wiped:
        vectors = [wiped(embed_for_enrolment(photo, engine)) for photo in photos]
        _check_agreement([name for name, _ in photos], vectors, engine.metric, agree)
        return Template(mean(vectors, engine.metric), pack_id)


def embed_for_enrolment(photo: Photo, engine: FaceEngine) -> Vector:
    """One photograph's embedding, under the strict rules of enrolment."""
    name, image = photo
    faces = engine.detect(image)
    if not faces:
        raise PhotoRefused("no_face", "no face is found", where=name, next="take it from the front, in good light")
    if rivals(faces, ENROL_RIVAL):
        raise PhotoRefused(
            "several_faces", "shows several faces", where=name, next="take one with this person alone, or crop it"
        )
    face = faces[0]
    if face.width < ENROL_MIN_WIDTH:
        raise PhotoRefused(
            "too_small",
            f"the face is {face.width:.0f} pixels wide, {ENROL_MIN_WIDTH} are needed",
            where=name,
            next="come closer, or use a larger picture",
        )
    if sharpness(image, face) < ENROL_MIN_SHARPNESS:
        raise PhotoRefused("blurred", "the face is blurred", where=name, next="hold still, focus, and take it again")
    return engine.embed(image, face)


def compare(first: Photo, second: Photo, engine: FaceEngine) -> float:
    """Score of two photographs. Raises PhotoRefused when one does not show exactly one face in front."""
    with Wiped() as wiped:
        vectors = [wiped(_embed_whoever(photo, engine)) for photo in (first, second)]
        return score(vectors[0], vectors[1], engine.metric)


def _embed_whoever(photo: Photo, engine: FaceEngine) -> Vector:
    """The embedding of the one face in front, however good."""
    name, image = photo
    faces = engine.detect(image)
    if not faces:
        raise PhotoRefused("no_face", "no face is found", where=name, next="use a picture taken from the front")
    if rivals(faces, RIVAL):
        raise PhotoRefused("several_faces", "shows several faces", where=name, next="crop it to one person")
    return engine.embed(image, faces[0])


def _check_agreement(names: list[str], vectors: list[Vector], metric: str, agree: float) -> None:
    """All photographs must show one person; one that does not is named where a majority tells which."""
    count = len(vectors)
    friends = [
        {j for j in range(count) if j == i or score(vectors[i], vectors[j], metric) >= agree} for i in range(count)
    ]
    if all(len(group) == count for group in friends):
        return
    best = max(range(count), key=lambda i: len(friends[i]))
    majority = friends[best]
    if len(majority) * 2 <= count:
        raise PhotoRefused(
            "disagree",
            "these photographs do not agree with each other",
            where=", ".join(names),
            next="use photographs of one person; three or more tell which is the odd one",
        )
    odd = [names[i] for i in range(count) if i not in majority]
    if odd:
        raise PhotoRefused(
            "disagree",
            "does not show the same face as the others",
            where=", ".join(odd),
            next="leave it out, or take it again",
        )
