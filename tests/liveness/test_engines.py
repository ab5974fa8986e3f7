"""The engines: the real MiniFASNet weights, the add-on's interface, the fake; and packs that are not what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from edgegate.camera.people import portrait
from edgegate.errors import EdgeGateError
from edgegate.faces.insightface_engine import InsightfaceEngine
from edgegate.faces.manifest import read_manifest
from edgegate.faces.pack import load
from edgegate.images import read_image
from edgegate.liveness import engines, insightface_addon, settings
from edgegate.liveness.fake import BEZEL_PX, FakeLivenessEngine, draw_screen
from edgegate.liveness.minifasnet import MIN_ROOM, crop_of
from edgegate.model import Image
from edgegate.ports import Face, LivenessEngine
from tests.conftest import blank
from tests.liveness.kit import addon_model, classes_model, live, minifasnet, opened

POINTS = np.array([[38, 52], [73, 52], [56, 72], [42, 92], [70, 92]], np.float32)
MINIFASNET = "name: small\nengine: minifasnet\nmodels: [{file: a.onnx, scale: 2.7}]\n"
ADDON = "name: small\nengine: insightface-liveness\nmodels: [{file: a.onnx}]\n"


def constant(*values: float) -> LivenessEngine:
    return opened(MINIFASNET, lambda file: classes_model(values))


def of_engine(name: str, shared: Path) -> LivenessEngine:
    if name == "minifasnet":
        return minifasnet(shared)
    return FakeLivenessEngine() if name == "fake" else opened(ADDON, lambda file: addon_model())


@pytest.mark.parametrize("name", ["minifasnet", "insightface-liveness", "fake"])
def test_every_engine_keeps_the_contract(name: str, shared: Path) -> None:
    """A score from 0 to 1 or none, for any face in any picture, which stays as it was."""
    engine = of_engine(name, shared)
    assert 0 <= engine.spoof_below < engine.live_at <= 1
    image = live()[0].image
    before = image.copy()
    boxes = [
        (300, 150, 110, 140),
        (-30, -20, 110, 140),
        (760, 560, 110, 140),
        (0, 0, 800, 600),
        (5, 5, 3, 4),
        (5, 5, 0, 0),
    ]
    answers = []
    for box in boxes:
        points = POINTS * (box[2] / 112) + np.array(box[:2], np.float32)
        score = engine.score(image, Face((*map(float, box),), 1.0, points))  # type: ignore[arg-type]
        assert score is None or 0 <= score <= 1
        answers.append(score)
    assert answers[0] is not None
    assert np.array_equal(before, image)


def test_the_samples_of_its_authors(shared: Path) -> None:
    """The live face is live; prints, a screen and a tablet are not; most are spoof."""
    engine = minifasnet(shared)
    faces = InsightfaceEngine(load(shared / "models" / "scrfd-mobileface"))
    scores = {}
    for path in sorted((shared / "faces" / "pad").rglob("*.jpg")):
        image = read_image(path)
        found = engine.score(image, faces.detect(image)[0])
        assert found is not None
        scores[path.stem] = found
    assert pytest.approx(1.0, abs=0.01) == scores["1"]
    assert pytest.approx(0.29, abs=0.03) == scores["screen_1"]
    assert max(scores["screen_2"], scores["tablet_1"]) < 0.01
    assert engine.spoof_below < scores["screen_1"] < engine.live_at


def test_most_photographs_of_people_are_live(shared: Path) -> None:
    """Twelve press photographs, none of them of a picture: eleven at 0.9 and above, one at 0.77."""
    engine = minifasnet(shared)
    faces = InsightfaceEngine(load(shared / "models" / "scrfd-mobileface"))
    scores = []
    for path in sorted((shared / "faces" / "people").rglob("*.*")):
        image = read_image(path)
        scores.append(engine.score(image, faces.detect(image)[0]))
    assert 12 == len(scores)
    assert 11 == sum(score is not None and score >= 0.9 for score in scores)
    assert all(score is not None and score >= engine.live_at for score in scores)


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0.2, 0.7, 0.1), 0.7), ((0.0, 1.0, 0.0), 1.0), ((1.0, 3.0, 1.0), 0.787), ((-4.0, -4.0, 90.0), 0.0)],
)
def test_a_softmax_is_never_taken_twice(values: tuple[float, ...], expected: float) -> None:
    """Probabilities stay what they are; numbers that are none become some."""
    image = blank(600, 600)
    score = constant(*values).score(image, Face((200.0, 200.0, 100.0, 120.0), 1.0))
    assert pytest.approx(expected, abs=0.001) == score


def test_what_is_not_a_number_is_no_answer() -> None:
    """A model that breaks says nothing of anybody."""
    score = constant(float("nan"), 0.0, 0.0).score(blank(600, 600), Face((200.0, 200.0, 100.0, 120.0), 1.0))
    assert score is None


def test_no_answer_without_room() -> None:
    """A face that fills the picture, or is tiny, is not judged."""
    engine = constant(0.0, 1.0, 0.0)
    height = 120 * MIN_ROOM
    assert 1.0 == engine.score(blank(600, round(height) + 1), Face((200.0, 20.0, 100.0, 120.0), 1.0))
    assert engine.score(blank(600, round(height) - 2), Face((200.0, 20.0, 100.0, 120.0), 1.0)) is None
    assert engine.score(blank(600, 600), Face((200.0, 200.0, 30.0, 40.0), 1.0)) is None


@pytest.mark.parametrize(
    ("box", "scale", "expected"),
    [
        ((400, 300, 100, 100), 2.0, (250, 451, 350, 551)),  # in the middle: widened about it
        ((0, 0, 100, 100), 2.0, (0, 201, 0, 201)),  # in a corner: moved inside, not cut
        ((900, 620, 100, 100), 2.0, (519, 720, 799, 1000)),
        ((300, 100, 300, 400), 4.0, (0, 720, 180, 720)),  # no room: widened less
    ],
)
def test_the_crop_stays_inside(box: tuple[float, ...], scale: float, expected: tuple[int, ...]) -> None:
    """Rows and columns."""
    assert expected == crop_of(blank(1000, 720), (box[0], box[1], box[2], box[3]), scale)


def test_the_crop_never_leaves_the_picture() -> None:
    """Whatever the box."""
    dice = np.random.default_rng(0)
    image = blank(320, 200)
    for _ in range(300):
        x, y = dice.uniform(-100, 300, 2)
        w, h = dice.uniform(1, 400, 2)
        top, bottom, left, right = crop_of(image, (float(x), float(y), float(w), float(h)), float(dice.uniform(1, 5)))
        assert 0 <= top < bottom <= 200
        assert 0 <= left < right <= 320


def test_the_add_on_is_asked_as_documented() -> None:
    """An aligned RGB crop in 0..1: of a white picture, the brightness is 1; a face at the edge is refused."""
    engine = opened(ADDON, lambda file: addon_model())
    assert (0.8, True) == (engine.live_at, engine.needs_points)
    white = np.full((400, 400, 3), 255, np.uint8)
    face = Face((140.0, 140.0, 112.0, 112.0), 1.0, POINTS + 140)
    assert pytest.approx(1.0) == engine.score(white, face)
    assert pytest.approx(0.5, abs=0.01) == engine.score(np.asarray(white // 2, np.uint8), face)
    assert engine.score(white, Face(face.box, 1.0, POINTS - 40)) is None
    assert engine.score(white, Face(face.box, 1.0)) is None
    assert engine.score(white, Face(face.box, 1.0, np.zeros((5, 2), np.float32))) is None


def test_the_add_on_never_answers_what_is_no_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own check refuses 2.0; that is no answer, and no crash."""
    engine = opened(ADDON, lambda file: addon_model())
    monkeypatch.setattr(engine._model.session, "run", lambda *_: [np.array([2.0], np.float32)])  # type: ignore[attr-defined]
    assert engine.score(blank(400, 400), Face((140.0, 140.0, 112.0, 112.0), 1.0, POINTS + 140)) is None


def test_the_add_ons_manifest_is_one() -> None:
    """What ships here to be put beside its file: its own catalogue's name, size and hash."""
    from insightface.addons import ADDON_CATALOG

    path = Path(insightface_addon.__file__).with_name("insightface.pack.yaml")
    manifest = read_manifest(path.read_bytes(), path)
    (part,) = manifest.files
    theirs = ADDON_CATALOG["liveness"]
    assert (theirs.filename, theirs.sha256, theirs.size_bytes) == (part.file, part.sha256, part.bytes)
    assert not manifest.licence.distributable
    assert engines.INSIGHTFACE == settings.parse(path.read_bytes(), path).engine


def test_the_fake_knows_screens() -> None:
    """No screen is live, a whole one is an attack, half of one is in between."""
    engine = FakeLivenessEngine()
    face = Face((100.0, 100.0, 80.0, 80.0), 1.0)
    plain = blank(300, 300)
    whole = plain.copy()
    draw_screen(whole, 100, 100, 80)
    half = plain.copy()
    half[:, :140] = whole[:, :140]
    scores = [engine.score(image, face) for image in (plain, whole, half)]
    assert [1.0, 0.0] == scores[:2]
    assert pytest.approx(0.5, abs=0.02) == scores[2]
    assert engine.score(plain, Face((BEZEL_PX / 4, 5.0, 80.0, 80.0), 1.0)) is None


Read = Callable[[str], bytes]


@pytest.mark.parametrize(
    ("manifest", "data", "says"),
    [
        ("- a\n", b"", "no manifest"),
        ("{", b"", "not YAML"),
        ("name: small\nengine: other\nmodels: [{file: a.onnx}]\n", b"", "needs the engine `other`"),
        ("name: small\nengine: minifasnet\nmodels: []\n", b"", "no manifest"),
        (MINIFASNET.replace("2.7", "0.5"), b"", "scale"),
        (MINIFASNET + "input: {size: 8}\n", b"", "size"),
        (MINIFASNET + "thresholds: {live: 0.2, spoof: 0.6}\n", b"", "thresholds"),
        (MINIFASNET + "thresholds: {live: .nan, spoof: 0.1}\n", b"", "thresholds"),
        (MINIFASNET, b"", "cannot be loaded"),
        (MINIFASNET, classes_model((0.1, 0.8, 0.1))[:200], "cannot be loaded"),
        (MINIFASNET, classes_model((0.1, 0.8, 0.1), size=112), "not what its manifest says"),
        (MINIFASNET, classes_model((0.1,)), "not what its manifest says"),
        (MINIFASNET + "live_class: 3\n", classes_model((0.1, 0.8, 0.1)), "not what its manifest says"),
        (ADDON, b"", "not the liveness add-on"),
        (ADDON, addon_model(dimensions=2), "not the liveness add-on"),
        (ADDON, classes_model((0.1, 0.8, 0.1)), "not the liveness add-on"),
        (ADDON.replace("]", ", {file: b.onnx}]"), addon_model(), "not the liveness add-on"),
    ],
)
def test_a_pack_that_is_none_is_one_line(manifest: str, data: bytes, says: str) -> None:
    """What it is, where, and what to do."""
    with pytest.raises(EdgeGateError) as caught:
        opened(manifest, lambda file: data)
    line = str(caught.value)
    assert says in line
    assert "; " in line
    assert line.isprintable()


def test_the_real_manifest_says_what_the_engine_reads(shared: Path) -> None:
    """Scales, class and input as its authors have them."""
    path = shared / "models" / "minifasnet" / "pack.yaml"
    found = settings.parse(path.read_bytes(), path)
    assert [2.7, 4.0] == [model.scale for model in found.models]
    assert (80, "bgr", 255, 1) == (found.input.size, found.input.colour, found.input.range, found.live_class)
    assert yaml.safe_load(path.read_text())["engine"] in engines.ENGINES


def face_of(shared: Path, image: Image) -> Face:
    return InsightfaceEngine(load(shared / "models" / "scrfd-mobileface")).detect(image)[0]


def test_colour_and_range_matter(shared: Path) -> None:
    """Told that the models take RGB, or values up to 1, the engine answers otherwise: the settings do reach them."""
    folder = shared / "models" / "minifasnet"
    text = (folder / "pack.yaml").read_text()
    image = cv2.copyMakeBorder(portrait("astronaut"), 200, 200, 200, 200, cv2.BORDER_REPLICATE)
    face = face_of(shared, np.asarray(image, np.uint8))
    read: Read = lambda file: (folder / file).read_bytes()  # noqa: E731
    scores = [
        opened(text.replace(old, new), read).score(np.asarray(image, np.uint8), face)
        for old, new in (("", ""), ("colour: bgr", "colour: rgb"), ("range: 255", "range: 1"))
    ]
    assert 3 == len({round(score, 3) for score in scores if score is not None})
