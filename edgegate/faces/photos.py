"""From photographs to a template, and the comparison of two photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from edgegate.errors import EdgeGateError, PhotoRefused
from edgegate.faces import choice
from edgegate.faces.align import mirrored
from edgegate.faces.comparison import NO_NUMBERS, mean, score, usable
from edgegate.faces.quality import ENROLMENT, assess
from edgegate.memory import Wiped
from edgegate.model import Image, Look, Template, Vector
from edgegate.ports import Face, FaceEngine

Photo: TypeAlias = tuple[str, Image]
"""A name for messages, and the picture."""

MAX_PHOTOS = 20

_REFUSED: dict[Look, tuple[str, str, str]] = {
    Look.TURNED_AWAY: (
        "turned_away",
        "the face is turned away, or the head bent",
        "look straight at the camera, head upright, and take it again",
    ),
    Look.TOO_DARK: ("too_dark", "the face is too dark", "take it again with light on the face"),
    Look.TOO_BRIGHT: ("too_bright", "the face is too bright to show its features", "take it again with less light"),
    Look.BLURRED: ("blurred", "the face is blurred", "hold still, focus, and take it again"),
    Look.CUT_OFF: ("cut_off", "part of the face is outside the picture", "take it again with the whole head in it"),
    Look.COVERED: (
        "covered",
        "the lower half of the face seems to be covered",
        "take it again with the face uncovered, or give a diary badge",
    ),
    Look.POOR_QUALITY: ("poor_quality", "the face has hardly any contrast", "clean the lens, or use another picture"),
}
"""Code, what, and what to do next."""


def enrol(photos: Sequence[Photo], engine: FaceEngine, pack_id: str, agree: float) -> Template:
    """The mean embedding of one or more photographs of one person.

    `agree` is the score that two photographs of one person must reach. Raises PhotoRefused, whose `where` is
    the photograph's name, with the codes no_face, several_faces, too_small, those of `_REFUSED`, bad_embedding and
    disagree.
    """
    if not 0 < len(photos) <= MAX_PHOTOS:
        raise EdgeGateError(f"{len(photos)} photographs given", next=f"give 1 to {MAX_PHOTOS} with --photo")
    with Wiped() as wiped:
        vectors = [wiped(embed_for_enrolment(photo, engine)) for photo in photos]
        _check_agreement([name for name, _ in photos], vectors, engine.metric, agree)
        return Template(mean(vectors, engine.metric), pack_id)


def embed_for_enrolment(photo: Photo, engine: FaceEngine) -> Vector:
    """One photograph's embedding, together with its mirror image's, under the strict rules of enrolment."""
    name, image = photo
    face = _one_face(photo, engine, choice.ENROLMENT)
    fault = assess(image, face, ENROLMENT).fault
    if fault is Look.TOO_FAR:
        raise PhotoRefused(
            "too_small",
            f"the face is {face.width:.0f} pixels wide, {ENROLMENT.width:g} are needed",
            where=name,
            next="come closer, or use a larger picture",
        )
    if fault is not None:
        code, what, remedy = _REFUSED[fault]
        raise PhotoRefused(code, what, where=name, next=remedy)
    vector = _both_ways(image, face, engine)
    if vector is None:
        raise PhotoRefused("bad_embedding", f"the model {NO_NUMBERS} for it", where=name, next="use another picture")
    return vector


def _both_ways(image: Image, face: Face, engine: FaceEngine) -> Vector | None:
    """The mean with its mirror image, which costs the gate nothing (docs/accuracy.md); None without usable numbers."""
    with Wiped() as wiped:
        mirror, there = mirrored(image, face)
        vectors = [wiped(engine.embed(image, face)), wiped(engine.embed(wiped(mirror), there))]
        return mean(vectors, engine.metric) if all(map(usable, vectors)) else None


def compare(first: Photo, second: Photo, engine: FaceEngine) -> float:
    """Score of two photographs. Raises PhotoRefused when one does not show exactly one face in front."""
    with Wiped() as wiped:
        vectors = [wiped(_embed_whoever(photo, engine)) for photo in (first, second)]
        return score(vectors[0], vectors[1], engine.metric)


def _embed_whoever(photo: Photo, engine: FaceEngine) -> Vector:
    """The embedding of the one face in front, however good."""
    return engine.embed(photo[1], _one_face(photo, engine, choice.GATE))


def _one_face(photo: Photo, engine: FaceEngine, rule: choice.Rule) -> Face:
    name, image = photo
    faces = engine.detect(image)
    if not faces:
        raise PhotoRefused("no_face", "no face is found", where=name, next="take it from the front, in good light")
    face = choice.chosen(faces, image, rule)
    if face is None:
        raise PhotoRefused(
            "several_faces", "shows several faces", where=name, next="take one with this person alone, or crop it"
        )
    return face


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
