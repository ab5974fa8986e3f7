"""Which face is meant: the one at the badge, not the one behind; and two as near are nobody's."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate.faces.choice import ENROLMENT, GATE, chosen, near, same_place
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.faces.look import FaceLook
from edgegate.images import read_image
from edgegate.model import Image, Look, Template, Unsealed
from edgegate.ports import Face, FaceEngine, Liveness, LivenessResult, LivenessVerdict

WIDTH, HEIGHT = 1280, 720
NAN = float("nan")


def face(width: float, place: float, height: float = 0.47) -> Face:
    """A square of so many pixels, its middle at this share of the picture's width and height."""
    return Face((place * WIDTH - width / 2, height * HEIGHT - width / 2, width, width), 1.0)


def blank() -> Image:
    return np.full((HEIGHT, WIDTH, 3), 170, np.uint8)


@pytest.mark.parametrize(
    ("width", "place", "rival"),
    [
        (220, 0.2, True),  # as near, wherever it is
        (220, 0.98, True),
        (200, 0.2, True),
        (165, 0.45, True),
        (165, 0.05, False),  # smaller, and at the edge
        (140, 0.5, False),
        (90, 0.5, False),
        (90, 0.02, False),
    ],
)
def test_who_is_a_rival_at_the_gate(width: float, place: float, rival: bool) -> None:
    """A face behind does not disturb; one of nearly the same size does, in whichever order they were found."""
    at_badge, other = face(220, 0.5), face(width, place)
    expected = None if rival else at_badge
    assert expected is chosen([at_badge, other], blank(), GATE)
    assert expected is chosen([other, at_badge], blank(), GATE)


def test_the_wider_face_is_never_passed_over() -> None:
    """A small face in the middle does not win against a large one beside it, by either rule."""
    for rule in (GATE, ENROLMENT):
        for width in range(60, 300, 20):
            found = chosen([face(300, 0.05), face(width, 0.5)], blank(), rule)
            assert found is None or 300 == found.width


def test_equal_faces_are_rivals_everywhere_at_the_gate() -> None:
    """Off the middle by as much as a picture allows."""
    places = [(x, y) for x in (0.0, 0.2, 0.5, 0.8, 1.0) for y in (0.1, 0.5, 0.9)]
    for one in places:
        for other in places:
            assert chosen([face(200, *one), face(200, *other)], blank(), GATE) is None


def test_enrolment_lets_the_middle_count_more() -> None:
    """Beside a person in the middle, a bystander three quarters as wide, at the edge of the picture."""
    middle, beside = face(200, 0.5), face(150, 0.08)
    assert middle is chosen([middle, beside], blank(), ENROLMENT)
    assert chosen([middle, face(150, 0.4)], blank(), ENROLMENT) is None


def test_a_box_of_no_numbers_is_far_away() -> None:
    """It neither wins nor disturbs; alone, it is for the quality gate to refuse."""
    broken = Face((NAN, 0.0, 200.0, 200.0), 1.0)
    assert 0.0 == near(broken, blank(), 0.5)
    good = face(100, 0.5)
    assert good is chosen([broken, good], blank(), GATE) or chosen([broken, good], blank(), GATE) is None
    assert broken is chosen([broken], blank(), GATE)


def test_same_place() -> None:
    """A step aside by a third of a face is the same person; another's place or size is not, and no number is not."""
    one = face(200, 0.5)
    assert same_place(one, one)
    assert same_place(one, face(210, 0.5 + 0.3 * 200 / WIDTH))
    assert same_place(one, face(140, 0.5))
    assert not same_place(one, face(200, 0.5 + 200 / WIDTH))
    assert not same_place(one, face(100, 0.5))
    assert not same_place(face(100, 0.5), one)
    assert not same_place(one, Face((NAN, NAN, NAN, NAN), 1.0))


def looks_like(place: int, person: str) -> Image:
    image = blank()
    draw_face(image, person, place, 250, 220)
    return image


def unsealed(person: str) -> Unsealed:
    engine, image = FakeEngine(), looks_like(500, person)
    return Unsealed(Template(engine.embed(image, engine.detect(image)[0]), FAKE_PACK.id))


def stage(threshold: float, liveness: Liveness | None = None) -> FaceLook:
    return FaceLook(FakeEngine(), FAKE_PACK.id, threshold, liveness)


def test_two_people_are_never_averaged_into_one() -> None:
    """Ana's two looks do not lift somebody who steps in elsewhere; where nobody moves, they are one fusion."""
    for place, expected in ((500, Look.MATCH), (900, Look.BELOW)):
        gate = stage(0.6)
        gate.begin(unsealed("ana"))
        assert [Look.MATCH, Look.MATCH] == [gate.look(looks_like(500, "ana")) for _ in range(2)]
        assert expected == gate.look(looks_like(place, "ben"))


def test_whoever_steps_in_begins_anew() -> None:
    """Ben's looks before do not hold Ana back at her own place."""
    gate = stage(0.9)
    gate.begin(unsealed("ana"))
    assert [Look.BELOW] * 3 == [gate.look(looks_like(100, "ben")) for _ in range(3)]
    assert Look.MATCH == gate.look(looks_like(800, "ana"))


def test_moving_about_gives_no_tries_without_end() -> None:
    """Two beginnings more than the first; whoever is elsewhere then is one too many, and the place before still counts.
    The next presentation has all three again."""
    gate = stage(0.9)
    for _ in range(2):
        gate.begin(unsealed("ana"))
        expected = [Look.BELOW] * 3 + [Look.SEVERAL_FACES, Look.BELOW, Look.SEVERAL_FACES]
        places = [100, 400, 700, 1000, 700, 100]
        assert expected == [gate.look(looks_like(place, "ben")) for place in places]


def test_a_new_presentation_remembers_no_place() -> None:
    """The first look of a presentation restarts nothing, wherever the last one stood."""
    told = Watched()
    gate = stage(0.9, told)
    for place in (100, 900):
        gate.begin(unsealed("ana"))
        gate.look(looks_like(place, "ana"))
        gate.end()
    assert 2 == told.begun


class Watched:
    """Port `Liveness`: everything lives; counts the beginnings."""

    def __init__(self) -> None:
        self.begun = 0
        self.faces: list[Face] = []

    def begin(self) -> None:
        self.begun += 1

    def look(self, image: Image, face: Face) -> LivenessResult:
        self.faces.append(face)
        return LivenessResult(LivenessVerdict.LIVE, None, 1)

    def end(self) -> None:
        """Nothing is kept."""


def test_liveness_begins_anew_with_another_face() -> None:
    """What lived at one place says nothing of a face at another; and it is asked of the face that is compared."""
    told = Watched()
    gate = stage(0.9, told)
    gate.begin(unsealed("ana"))
    for place in (500, 520, 900):
        image = looks_like(place, "ana")
        draw_face(image, "ben", 20, 20, 80)
        assert Look.MATCH == gate.look(image)
    assert 2 == told.begun
    assert [500, 520, 900] == [round(each.box[0]) for each in told.faces]


@pytest.fixture(scope="module", params=["dlib", "scrfd-mobileface", "yunet-mobilefacenet"])
def engine(request: pytest.FixtureRequest) -> FaceEngine:
    from edgegate.adapters import open_engine
    from edgegate.faces.catalogue import embedded
    from edgegate.faces.pack import load

    if request.param == "dlib":
        return open_engine(embedded())
    shared: Path = request.getfixturevalue("shared")
    return open_engine(load(shared / "models" / request.param))


def paste(image: Image, person: Image, place: float, width: int) -> None:
    """A photograph of LFW, whose face is about 93 of 250 pixels wide, so that the face has this width."""
    side = round(width * 250 / 93)
    patch = cv2.resize(person, (side, side), interpolation=cv2.INTER_AREA)
    left, top = round(place * WIDTH - side / 2), HEIGHT // 2 - side // 2
    right = min(WIDTH, left + side)
    image[max(0, top) : top + side, max(0, left) : right] = patch[
        max(0, -top) : HEIGHT - top, max(0, -left) : right - left
    ][: image[max(0, top) : top + side].shape[0]]


@pytest.mark.parametrize(("behind", "alone"), [(90, True), (110, True), (180, False)])
def test_real_people_in_one_scene(engine: FaceEngine, shared: Path, behind: int, alone: bool) -> None:
    """Somebody half as wide stands behind: the near face is meant. Somebody as near: nobody is."""
    near_one, far_one = (
        read_image(shared / "faces" / "lfw-dev" / name / f"{name}_0001.jpg") for name in ("AJ_Cook", "Aaron_Pena")
    )
    scene = blank()
    paste(scene, far_one, 0.82, behind)
    paste(scene, near_one, 0.4, 200)
    faces = engine.detect(scene)
    assert len(faces) >= (1 if alone else 2)  # dlib sees none as small as the one behind
    found = chosen(faces, scene, GATE)
    if alone:
        assert found is not None
        assert math.isclose(0.4 * WIDTH, found.box[0] + found.box[2] / 2, abs_tol=60)
    else:
        assert found is None
