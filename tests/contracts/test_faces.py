"""Port `Faces`: the face side of one presentation, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

from edgegate.faces.look import FaceLook
from edgegate.model import Look, Template, Unsealed
from tests.contracts.conftest import Bench


@pytest.fixture
def faces(bench: Bench) -> FaceLook:
    """Detector, quality, recogniser and fusion, with nobody in front yet."""
    return FaceLook(bench.engine, bench.pack.id, bench.threshold)


def enrolled(bench: Bench, person: str) -> Template:
    """The reference of a person, from a rendition that no test looks at again."""
    return Template(bench.reference(person), bench.pack.id)


def unsealed(bench: Bench, person: str) -> Unsealed:
    """The same, for one comparison."""
    return Unsealed(enrolled(bench, person))


def test_the_own_face_matches(bench: Bench, faces: FaceLook) -> None:
    """Everybody matches the own template with the first look."""
    for person in bench.people:
        faces.begin(unsealed(bench, person))
        assert Look.MATCH == faces.look(bench.picture((person,), 2))
        faces.end()


def test_another_face_stays_below(bench: Bench, faces: FaceLook) -> None:
    """A stolen badge: however often the gate looks, the other face does not match."""
    ana, ben = bench.people[:2]
    faces.begin(unsealed(bench, ana))
    assert [Look.BELOW] * 3 == [faces.look(bench.picture((ben,), seed)) for seed in (2, 3, 4)]


def test_nobody_is_no_face(bench: Bench, faces: FaceLook) -> None:
    """A badge held up by an arm."""
    faces.begin(unsealed(bench, bench.people[0]))
    assert Look.NO_FACE == faces.look(bench.picture((), 2))


def test_two_people_are_several_faces(bench: Bench, faces: FaceLook) -> None:
    """With two faces as near, nobody can say whose badge it is, the owner's being among them or not."""
    faces.begin(unsealed(bench, bench.people[0]))
    for people in (bench.people[:2], bench.people[1:3]):
        assert Look.SEVERAL_FACES == faces.look(bench.picture(people, 2))


def test_a_face_not_fit_to_compare_has_its_reason(bench: Bench, faces: FaceLook) -> None:
    """Too far or out of focus: the owner's own face is found, but not compared."""
    image = bench.spoil(bench.picture(bench.people[:1], 2))
    assert 1 == len(bench.engine.detect(image))
    faces.begin(unsealed(bench, bench.people[0]))
    assert faces.look(image) in (Look.TOO_FAR, Look.BLURRED)


def test_a_bad_look_does_not_spoil_the_next(bench: Bench, faces: FaceLook) -> None:
    """Nobody, two people, a blur; then the owner alone, who matches."""
    owner = bench.people[:1]
    faces.begin(unsealed(bench, owner[0]))
    for image in (
        bench.picture((), 2),
        bench.picture(bench.people[:2], 2),
        bench.spoil(bench.picture(owner, 2)),
    ):
        assert Look.MATCH != faces.look(image)
    assert Look.MATCH == faces.look(bench.picture(owner, 2))


def test_the_end_wipes_the_template_and_may_come_twice(bench: Bench, faces: FaceLook) -> None:
    """`begin` takes the template over; after `end` its numbers are gone, also when `end` comes again."""
    reference = enrolled(bench, bench.people[0])
    vector = reference.vector
    faces.begin(Unsealed(reference))
    faces.look(bench.picture(bench.people[:1], 2))
    assert vector.any()
    faces.end()
    assert not vector.any()
    faces.end()
    assert not reference.vector.any()


def test_a_new_presentation_wipes_the_one_before(bench: Bench, faces: FaceLook) -> None:
    """Beginning anew without an end leaves no template behind, and nothing of the first one's probes."""
    ana, ben = bench.people[:2]
    first = enrolled(bench, ana)
    faces.begin(Unsealed(first))
    faces.look(bench.picture((ana,), 2))
    faces.begin(unsealed(bench, ben))
    assert not first.vector.any()
    assert Look.BELOW == faces.look(bench.picture((ana,), 3))
    faces.begin(unsealed(bench, ben))
    assert Look.MATCH == faces.look(bench.picture((ben,), 2))
    faces.end()


def test_looking_without_a_presentation_is_a_mistake(bench: Bench, faces: FaceLook) -> None:
    """No face is looked at before `begin` and after `end`."""
    image = bench.picture(bench.people[:1], 2)
    with pytest.raises(RuntimeError):
        faces.look(image)
    faces.begin(unsealed(bench, bench.people[0]))
    faces.end()
    with pytest.raises(RuntimeError):
        faces.look(image)


def test_ending_without_a_presentation_is_nothing(faces: FaceLook) -> None:
    """`end` before any `begin` is allowed: the loop calls it when it stops."""
    faces.end()
    with pytest.raises(RuntimeError):
        faces.look(np.zeros((10, 10, 3), np.uint8))


def test_a_template_serves_one_presentation(bench: Bench, faces: FaceLook) -> None:
    """What was compared once cannot be compared again, ended or not, nor be taken out."""
    ana = bench.people[0]
    handle = unsealed(bench, ana)
    faces.begin(handle)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            faces.begin(handle)
        with pytest.raises(RuntimeError):
            faces.look(bench.picture((ana,), 2))
        with pytest.raises(RuntimeError):
            handle.take()
    handle.wipe()


def test_a_template_of_another_length_never_matches(bench: Bench, faces: FaceLook) -> None:
    """A template that cannot belong to this engine is no reason to open."""
    vector = np.ones(bench.engine.dimensions + 1, np.float32)
    faces.begin(Unsealed(Template(vector, bench.pack.id)))
    assert Look.BELOW == faces.look(bench.picture(bench.people[:1], 2))
    faces.end()
    assert not vector.any()
