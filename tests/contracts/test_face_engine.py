"""Port `FaceEngine`: the fake, dlib, insightface and opencv find and describe faces alike."""

from __future__ import annotations

import numpy as np
import pytest

from edgegate.faces.comparison import score
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.faces.look import CountedEngine
from edgegate.model import Image
from tests.contracts.conftest import HEIGHT, WIDTH, Bench


def pair(bench: Bench, large: str, small: str) -> Image:
    """One person near, another half as large behind."""
    picture = bench.picture((large,), 1).copy()
    behind = bench.picture((small,), 2)[::2, ::2]
    picture[: behind.shape[0], 760:] = behind[:, : WIDTH - 760]
    return picture


def test_one_person_is_one_face_where_it_stands(bench: Bench) -> None:
    """The box is as large as a face can be, inside the picture, and about where the person was put."""
    for person in bench.people[:4]:
        (face,) = bench.engine.detect(bench.picture((person,), 1))
        x, y, width, height = face.box
        assert face.width == width
        assert 100 < width < 400
        assert 100 < height < 500
        assert 0 <= x < x + width <= WIDTH
        assert 0 <= y < y + height <= HEIGHT
        assert abs(x + width / 2 - bench.middle[0]) < HEIGHT / 8
        assert abs(y + height / 2 - bench.middle[1]) < HEIGHT / 8
        assert np.isfinite(face.score)


def test_points_are_eyes_nose_and_mouth_as_the_viewer_sees_them(bench: Bench) -> None:
    """Where an engine gives points, there are five, in the stated order, inside the box."""
    (face,) = bench.engine.detect(bench.picture(bench.people[:1], 1))
    if face.points is None:
        # Allowed by the port: these engines align by themselves.
        assert FAKE_PACK is bench.pack or bench.pack.manifest.engine == "dlib"
        return
    assert (5, 2) == face.points.shape
    x, y, width, height = face.box
    assert (face.points > (x, y)).all()
    assert (face.points < (x + width, y + height)).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_faces_come_largest_first(bench: Bench) -> None:
    """The one in front is the first, whichever it is."""
    ana, ben = bench.people[:2]
    for large, small in ((ana, ben), (ben, ana)):
        faces = bench.engine.detect(pair(bench, large, small))
        assert 2 == len(faces)
        assert faces[0].width > 1.5 * faces[1].width
        assert faces[0].box[0] < faces[1].box[0]


@pytest.mark.parametrize("value", [0, 170, 255])
def test_nobody_is_no_face(bench: Bench, value: int) -> None:
    """A dark, grey or white picture shows nobody."""
    assert [] == bench.engine.detect(np.full((HEIGHT, WIDTH, 3), value, np.uint8))


def test_an_empty_entrance_is_no_face(bench: Bench) -> None:
    """Neither does the hall when everybody has gone."""
    assert [] == bench.engine.detect(bench.picture((), 3))


@pytest.mark.parametrize("shape", [(1, 1), (2, 700), (700, 2), (1, 1400)])
def test_the_strangest_pictures_are_no_error(bench: Bench, shape: tuple[int, int]) -> None:
    """A photograph may be a single row: no face, and no exception from a library."""
    assert [] == bench.engine.detect(np.zeros((*shape, 3), np.uint8))


def test_an_embedding_has_the_stated_form(bench: Bench) -> None:
    """One float32 vector of `dimensions` finite numbers; of unit length where the metric is cosine."""
    engine = bench.engine
    vector = bench.vector(bench.people[0], 1)
    assert bench.pack.manifest.recogniser.dimensions == engine.dimensions
    assert bench.pack.manifest.recogniser.metric == engine.metric
    assert (engine.dimensions,) == vector.shape
    assert np.float32 == vector.dtype
    assert np.isfinite(vector).all()
    if engine.metric == "cosine":
        assert pytest.approx(1.0, abs=1e-4) == float(np.linalg.norm(vector))


def test_an_embedding_can_be_wiped(bench: Bench) -> None:
    """The caller owns the numbers and can overwrite them; the next embedding is not touched by that."""
    vector = bench.vector(bench.people[0], 1)
    kept = vector.copy()
    vector.fill(0)
    assert not vector.any()
    assert np.array_equal(kept, bench.vector(bench.people[0], 1))


def test_the_same_picture_gives_the_same_faces_and_vector(bench: Bench) -> None:
    """The same frames give the same decisions, so nothing in an engine is left to chance."""
    image = bench.picture(bench.people[:1], 1)
    first, second = (bench.engine.detect(image) for _ in range(2))
    assert first[0].box == second[0].box
    one, other = (bench.engine.embed(image, found[0]) for found in (first, second))
    assert np.array_equal(one, other)


def test_the_picture_is_left_as_it_was(bench: Bench) -> None:
    """Detector and recogniser read the frame, they do not draw on it."""
    image = bench.picture(bench.people[:1], 1).copy()
    before = image.copy()
    bench.engine.embed(image, bench.engine.detect(image)[0])
    assert np.array_equal(before, image)


def test_the_same_person_is_closer_than_anybody_else(bench: Bench) -> None:
    """Another rendition of a person scores above every other person, and on the right side of the threshold."""
    metric = bench.engine.metric
    known = {person: bench.reference(person) for person in bench.people}
    for person in bench.people:
        probe = bench.vector(person, 2)
        scores = {other: score(probe, vector, metric) for other, vector in known.items()}
        assert person == max(scores, key=lambda name: scores[name])
        assert [person] == [other for other, value in scores.items() if value >= bench.threshold]


def test_calls_are_counted() -> None:
    """The counting engine tells how often the one behind it worked, and answers as that one does."""
    engine, plain = CountedEngine(FakeEngine()), FakeEngine()
    image = np.zeros((300, 300, 3), np.uint8)
    draw_face(image, "ana", 50, 50, 200)
    assert (0, 0) == (engine.detections, engine.embeddings)
    faces = engine.detect(image)
    assert plain.detect(image)[0].box == faces[0].box
    assert (1, 0) == (engine.detections, engine.embeddings)
    assert np.array_equal(plain.embed(image, faces[0]), engine.embed(image, faces[0]))
    assert (1, 1) == (engine.detections, engine.embeddings)
