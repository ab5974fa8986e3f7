"""Is a face fit to compare: real photographs with their reasons, and faces that were spoilt one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import pytest

from edgegate.adapters import open_engine
from edgegate.faces.catalogue import embedded
from edgegate.faces.choice import ENROLMENT as ENROLMENT_CHOICE
from edgegate.faces.choice import GATE as GATE_CHOICE
from edgegate.faces.choice import chosen
from edgegate.faces.look import FaceLook
from edgegate.faces.measures import light, missing, mouth, pose
from edgegate.faces.pack import load
from edgegate.faces.quality import ENROLMENT, GATE, LEAST_WEIGHT, Limits, Quality, assess
from edgegate.images import read_image
from edgegate.model import QUALITY_FAULTS, Image, Look, Template, Unsealed
from edgegate.ports import Face, FaceEngine

ENGINES = ("dlib", "scrfd-mobileface", "yunet-mobilefacenet")
NAN = float("nan")
FRONT = np.array([[70, 80], [130, 80], [100, 112], [78, 145], [122, 145]], np.float32)
"""Five points of a face that looks at the camera, in a box of 150 x 205 at (25, 5)."""
OK = "ok"


@cache
def engine_of(name: str, shared: Path) -> FaceEngine:
    return open_engine(embedded() if name == "dlib" else load(shared / "models" / name))


@pytest.fixture(params=ENGINES)
def named(request: pytest.FixtureRequest, shared: Path) -> tuple[str, FaceEngine]:
    return request.param, engine_of(request.param, shared)


def reason(image: Image, engine: FaceEngine, limits: Limits) -> str:
    """What would be said of a photograph: at the gate, or at enrolment."""
    faces = engine.detect(image)
    if not faces:
        return Look.NO_FACE.value
    face = chosen(faces, image, GATE_CHOICE if limits is GATE else ENROLMENT_CHOICE)
    if face is None:
        return Look.SEVERAL_FACES.value
    fault = assess(image, face, limits).fault
    return OK if fault is None else fault.value


REASONS = {
    # photograph: dlib, SCRFD, YuNet, as at the gate; / and at enrolment, where it differs
    "blur.jpg": "blurred blurred blurred",
    "mask.jpg": "ok covered covered",
    "no_face.jpg": "no_face no_face no_face",
    "partial_face.jpg": "cut_off cut_off cut_off",
    "partial_face2.jpg": "cut_off cut_off cut_off",
    "pose_down.jpg": "ok turned_away ok/turned_away",
    "pose_left.jpg": "ok/cut_off turned_away turned_away",
    "pose_right.png": "no_face turned_away turned_away",
    "pose_up.jpg": "ok turned_away ok",
    "rotated_90.jpg": "no_face turned_away no_face",
    "two_people.jpg": "several_faces several_faces several_faces",
}
"""What each engine can tell: dlib's boxes have no points, so neither pose nor mask is seen; YuNet's hardly move when
a face looks up."""


@pytest.mark.parametrize("photo", REASONS)
def test_photographs_with_a_fault_have_their_reason(photo: str, named: tuple[str, FaceEngine], shared: Path) -> None:
    """Every photograph of the collection, at the gate and at enrolment."""
    name, engine = named
    image = read_image(shared / "faces" / "quality" / photo)
    at_gate, _, at_enrolment = REASONS[photo].split()[ENGINES.index(name)].partition("/")

    assert (at_gate, at_enrolment or at_gate) == (reason(image, engine, GATE), reason(image, engine, ENROLMENT))


def test_good_photographs_are_not_refused(named: tuple[str, FaceEngine], shared: Path) -> None:
    """Twelve photographs of five people; one of them looks aside a little."""
    _, engine = named
    photographs = sorted((shared / "faces" / "people").rglob("*.*"))
    assert len(photographs) == 12
    assert {OK} == {reason(read_image(photo), engine, GATE) for photo in photographs}
    refused = [reason(read_image(photo), engine, ENROLMENT) for photo in photographs]
    assert refused.count(OK) >= 11, refused


@pytest.fixture(params=["scrfd-mobileface", "yunet-mobilefacenet"])
def portrait(request: pytest.FixtureRequest, shared: Path) -> tuple[Image, Face, FaceEngine]:
    """A good photograph, 455 pixels wide, its face, and the engine that found it."""
    engine = engine_of(request.param, shared)
    image = cv2.resize(read_image(shared / "faces/people/barack_obama/1.jpg"), None, fx=0.5, fy=0.5)
    picture = np.asarray(image, np.uint8)
    return picture, engine.detect(picture)[0], engine


def scaled(factor: float) -> Callable[[Image], Image]:
    return lambda image: np.asarray(np.clip(image.astype(np.float32) * factor, 0, 255), np.uint8)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (scaled(1.0), None),
        (scaled(0.5), None),
        (scaled(0.3), None),  # dark, and it matches all the same
        (scaled(0.06), Look.TOO_DARK),
        (scaled(5.0), Look.TOO_BRIGHT),
        (lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.uint8), Look.BLURRED),
        (lambda image: scaled(0.5)(np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.uint8)), Look.BLURRED),
        (
            lambda image: scaled(0.2)(np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.uint8)),
            Look.TOO_DARK,
        ),  # long exposures blur
        (lambda image: np.asarray(image * 0.03 + 140, np.uint8), Look.POOR_QUALITY),
    ],
)
def test_one_fault_at_a_time(
    spoil: Callable[[Image], Image], fault: Look | None, portrait: tuple[Image, Face, FaceEngine]
) -> None:
    """Light, contrast and focus, on the face as it was found before."""
    image, face, _ = portrait
    found = assess(np.asarray(spoil(image), np.uint8), face)

    assert fault == found.fault
    assert found.weight in (0.0, LEAST_WEIGHT) if fault else LEAST_WEIGHT <= found.weight <= 1.0


def test_a_face_hardly_sharp_may_match_and_accuses_nobody(portrait: tuple[Image, Face, FaceEngine]) -> None:
    """Blurred beyond the bound, not beyond half of it: its owner may pass, anybody else is blurred, not below."""
    image, face, engine = portrait
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), 4.2), np.uint8)
    assert Quality(Look.BLURRED, LEAST_WEIGHT) == assess(blurred, face)
    assert Quality(Look.BLURRED, 0.0) == assess(np.asarray(cv2.GaussianBlur(image, (0, 0), 7), np.uint8), face)
    for template, expected in ((engine.embed(image, face), Look.MATCH), (-engine.embed(image, face), Look.BLURRED)):
        gate = FaceLook(engine, "pack", 0.35)
        gate.begin(Unsealed(Template(template, "pack")))
        assert expected == gate.look(blurred)


def test_a_face_before_a_bright_wall_is_too_dark(portrait: tuple[Image, Face, FaceEngine]) -> None:
    """As dark as one that is compared where all is dark; here the camera has adjusted to what is behind."""
    image, face, _ = portrait
    x, y, w, h = face.box
    dark = scaled(0.14)(image)
    assert assess(dark, face).fault is None
    oval = np.zeros(image.shape[:2], np.uint8)
    middle, axes = (round(x + w / 2), round(y + h / 2)), (round(0.6 * w), round(0.6 * h))
    cv2.ellipse(oval, middle, axes, 0, 0, 360, 1, -1)
    wall = np.where(oval[:, :, None] == 1, dark, np.uint8(235))
    assert Look.TOO_DARK == assess(wall, face).fault


def test_dark_is_not_blurred(portrait: tuple[Image, Face, FaceEngine]) -> None:
    """Less light makes weaker edges; the bound follows the contrast, or dark faces would be called blurred."""
    image, face, _ = portrait
    dark = scaled(0.2)(image)
    assert light(dark, face).sharpness < GATE.sharpness
    assert assess(dark, face).fault is None


@pytest.mark.parametrize(("share", "fault"), [(0.0, None), (0.35, Look.CUT_OFF)])
def test_a_face_at_the_edge_of_the_picture(
    share: float, fault: Look | None, portrait: tuple[Image, Face, FaceEngine]
) -> None:
    """A box that only touches the edge is whole; of a third outside, detectors make a narrow box."""
    image, face, engine = portrait
    x, _, w, _ = face.box
    cut = np.ascontiguousarray(image[:, round(x + share * w) :])
    assert fault == assess(cut, engine.detect(cut)[0]).fault


@pytest.mark.parametrize("colour", [(225, 225, 225), (200, 170, 120), (35, 35, 35)])
def test_a_painted_mask_covers(colour: tuple[int, int, int], portrait: tuple[Image, Face, FaceEngine]) -> None:
    """White, blue, black: told by the lines it hides, not by its colour."""
    image, face, _ = portrait
    x, y, w, h = face.box
    outline = [(0.04, 0.52), (0.5, 0.45), (0.96, 0.52), (0.9, 0.85), (0.5, 1.02), (0.1, 0.85)]
    masked = image.copy()
    cv2.fillPoly(masked, [np.array([[x + a * w, y + b * h] for a, b in outline], np.int32)], colour)

    assert Look.COVERED == assess(masked, face).fault
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert assess(np.asarray(grey, np.uint8), face).fault is None


def test_better_looks_weigh_more(portrait: tuple[Image, Face, FaceEngine]) -> None:
    """Sharper, lighter: never less; between a quarter and one."""
    image, face, _ = portrait
    blurred = [assess(np.asarray(cv2.GaussianBlur(image, (0, 0), s), np.uint8), face).weight for s in (0.5, 2.0, 2.6)]
    darker = [assess(scaled(factor)(image), face).weight for factor in (1.0, 0.4, 0.2)]
    for weights in (blurred, darker):
        assert weights == sorted(weights, reverse=True)
        assert 0.25 <= weights[-1] < weights[0] <= 1.0


def turned(right: float = 0.0, down: float = 0.0, degrees: float = 0.0) -> Face:
    """The frontal face with its nose moved, in pixels of 60 between the eyes, or the head tilted."""
    points = FRONT.copy()
    points[2] += (right, down)
    turn = cv2.getRotationMatrix2D((100, 108), -degrees, 1.0)
    return Face((25.0, 5.0, 150.0, 205.0), 1.0, (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32))


def test_pose_from_five_points() -> None:
    """Signs and units; a tilted head keeps its yaw and pitch."""
    front = pose(turned())
    assert front is not None
    assert [0.0, 32 / 65, 0.0] == pytest.approx([front.yaw, front.pitch, front.roll], abs=1e-3)
    for degrees in (-40.0, 30.0, 90.0):
        tilted = pose(turned(15, 5, degrees))
        assert tilted is not None
        assert [0.25, 37 / 65] == pytest.approx([tilted.yaw, tilted.pitch], abs=1e-3)
        assert tilted.roll == pytest.approx(degrees, abs=1e-2)


@pytest.mark.parametrize(
    ("face", "gate", "enrolment"),
    [
        (turned(), False, False),
        (turned(right=28), False, False),
        (turned(right=33), False, True),
        (turned(right=-33), False, True),
        (turned(right=38), True, True),
        (turned(right=-38), True, True),
        (turned(down=25), True, True),
        (turned(down=-17), True, True),
        (turned(degrees=30), False, True),
        (turned(degrees=-30), False, True),
        (turned(degrees=60), True, True),
        (turned(degrees=-60), True, True),
        (turned(degrees=180), True, True),
    ],
)
def test_how_far_a_face_may_be_turned(face: Face, gate: bool, enrolment: bool) -> None:
    """To either side, up, down and tilted; enrolment is stricter."""
    image = np.random.default_rng(0).integers(0, 255, (240, 240, 3), dtype=np.uint8)
    found = [assess(image, face, limits).fault is Look.TURNED_AWAY for limits in (GATE, ENROLMENT)]
    assert [gate, enrolment] == found


def test_enrolment_is_nowhere_laxer() -> None:
    """What may become a template may be compared."""
    for name in ("width", "sharpness", "highlight", "spread", "mouth"):
        assert getattr(ENROLMENT, name) >= getattr(GATE, name)
    for name in ("yaw", "roll", "burnt", "missing"):
        assert getattr(ENROLMENT, name) <= getattr(GATE, name)


PICTURES = [np.zeros((1, 1, 3), np.uint8), np.full((1, 900, 3), 255, np.uint8), np.full((240, 240, 3), 128, np.uint8)]
BOXES = [
    (0.0, 0.0, 1.0, 1.0),
    (0.0, 0.0, 0.0, 0.0),
    (50.0, 50.0, -100.0, 100.0),
    (-500.0, -500.0, 100.0, 100.0),
    (5000.0, 10.0, 100.0, 100.0),
    (-1e9, -1e9, 3e9, 3e9),
    (1e300, 0.0, 100.0, 100.0),
    (NAN, 0.0, 100.0, 100.0),
    (0.0, 0.0, NAN, 100.0),
    (0.0, 0.0, float("inf"), 100.0),
]
POINTS = [
    None,
    np.full((5, 2), NAN, np.float32),
    np.full((5, 2), np.inf, np.float32),
    np.zeros((5, 2), np.float32),
    np.full((5, 2), 60.0, np.float32),
    np.zeros((3, 2), np.float32),
    FRONT + np.float32(1e6),
]


@pytest.mark.parametrize("image", PICTURES, ids=lambda image: f"{image.shape[1]}x{image.shape[0]}")
@pytest.mark.parametrize("box", BOXES, ids=str)
@pytest.mark.parametrize("points", POINTS, ids=range(len(POINTS)))
def test_no_face_is_too_strange_to_judge(
    image: Image, box: tuple[float, float, float, float], points: np.ndarray | None
) -> None:
    """Boxes and points of any numbers, in any picture: a fault, and no error."""
    for limits in (GATE, ENROLMENT):
        found = assess(image, Face(box, 1.0, points), limits)
        assert found.fault in QUALITY_FAULTS
        assert 0.0 == found.weight


def test_points_of_no_numbers_are_poor_quality() -> None:
    """Without a pose such a face cannot be aligned either; a detector without points is another matter."""
    image = np.random.default_rng(0).integers(0, 255, (240, 240, 3), dtype=np.uint8)
    broken = replace(turned(), points=np.full((5, 2), NAN, np.float32))
    assert pose(broken) is None
    assert Look.POOR_QUALITY == assess(image, broken).fault
    without = replace(turned(), points=None)
    assert pose(without) is None
    assert mouth(image, without) is None
    assert assess(image, without).fault is None


def test_a_score_of_no_number_is_poor_quality() -> None:
    """Nor is a detector believed that does not know how sure it is."""
    image = np.random.default_rng(0).integers(0, 255, (240, 240, 3), dtype=np.uint8)
    assert Look.POOR_QUALITY == assess(image, replace(turned(), score=NAN)).fault


def test_what_is_missing() -> None:
    """A square half outside, a narrow box at the edge, a flat one at the top; nothing of a box in the middle."""
    image = np.zeros((240, 240, 3), np.uint8)
    assert 0.5 == missing(image, Face((-50.0, 100.0, 100.0, 100.0), 1.0))
    assert 1.0 == missing(image, Face((300.0, 100.0, 100.0, 100.0), 1.0))
    for box, expected in (
        ((60.0, 50.0, 73.0, 100.0), 0.0),
        ((60.0, 50.0, 50.0, 100.0), 0.0),
        ((0.0, 50.0, 50.0, 100.0), 1 - 50 / 73),
        ((190.0, 50.0, 50.0, 100.0), 1 - 50 / 73),
        ((60.0, 0.0, 73.0, 70.0), 0.3),
        ((60.0, 170.0, 73.0, 70.0), 0.3),
    ):
        assert expected == pytest.approx(missing(image, Face(box, 1.0, FRONT)), abs=1e-6)
        square = missing(image, Face(box, 1.0))
        assert 0.0 == pytest.approx(square, abs=1e-6)


def test_it_is_cheap(portrait: tuple[Image, Face, FaceEngine]) -> None:
    """A face of 200 pixels in a 720p picture: under a millisecond, in the best of many."""
    image, face, engine = portrait
    frame = np.full((720, 1280, 3), 140, np.uint8)
    large = cv2.resize(image, None, fx=200 / face.width, fy=200 / face.width)[:720]
    frame[: large.shape[0], : large.shape[1]] = large
    found = engine.detect(frame)[0]
    assert 170 < found.width < 230
    took = []
    for _ in range(200):
        before = perf_counter()
        assess(frame, found)
        took.append(perf_counter() - before)
    assert min(took) < 1e-3
