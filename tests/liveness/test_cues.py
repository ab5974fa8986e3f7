"""The cues: what moves with the face, in simulated presentations."""

from __future__ import annotations

import numpy as np
import pytest

from edgegate.images import grey
from edgegate.liveness import badge, edges
from edgegate.liveness.cues import Cues
from edgegate.liveness.glance import FACE_PX, Window, glance
from edgegate.liveness.motion import follow
from edgegate.ports import Cue
from tests.liveness.kit import FACE, Shot, held_up, live, shaken


def cues_of(shots: list[Shot]) -> Cues:
    cues = Cues()
    for shot in shots:
        cues.add(shot.image, shot.face.box)
    return cues


def test_a_glance_is_small_and_in_place() -> None:
    """The face is as wide as it should be, and lies in the glance where it lies in the picture."""
    shot = live()[0]
    window = Window.around(shot.image, shot.face.box)
    seen = glance(grey(shot.image), window, shot.face.box, np.array([[window.left, window.top]], np.float64))
    assert (2,) == (seen.grey.ndim,)
    assert pytest.approx(FACE_PX) == seen.face[2]
    assert pytest.approx((shot.face.box[0] - window.left) * window.scale) == seen.face[0]
    assert seen.code is not None
    assert [[0.0, 0.0]] == seen.code.tolist()


def test_a_window_ends_at_the_picture() -> None:
    """A face at the edge has a window that is all picture."""
    shot = live()[0]
    window = Window.around(shot.image, (-20.0, 3.0, 90.0, 120.0))
    assert (0, 0) == (window.left, window.top)
    seen = glance(grey(shot.image), window, (-20.0, 3.0, 90.0, 120.0))
    assert min(seen.grey.shape) > FACE_PX


@pytest.mark.parametrize(("moved", "holds"), [(0.0, True), (0.3, True), (0.5, False)])
def test_a_face_that_went_far_wants_a_new_window(moved: float, holds: bool) -> None:
    """A window serves for the sway of one person, not for another who steps in."""
    x, y, width, height = live()[0].face.box
    window = Window.around(live()[0].image, (x, y, width, height))
    assert holds is window.holds((x + moved * width, y, width, height))
    assert not window.holds((x, y, 2 * width, 2 * height))


def test_follow_finds_how_the_face_moved() -> None:
    """To a tenth of the width of the face in a thousand: half a pixel of the glance."""
    before, after = live()[0], live()[2]
    window = Window.around(before.image, before.face.box)
    motion = follow(*(glance(grey(shot.image), window, shot.face.box) for shot in (before, after)))
    assert motion is not None
    expected = np.hypot(after.face.box[0] - before.face.box[0], after.face.box[1] - before.face.box[1])
    assert pytest.approx(expected * window.scale, abs=0.5) == motion.moved
    assert motion.moved > 3
    assert not motion.everything


def test_follow_tells_a_shaken_camera() -> None:
    """When all moves, it is not the face that does."""
    still = live(step=0.0)
    first, second = still[0], shaken(still, 30)[2]
    window = Window.around(first.image, first.face.box)
    motion = follow(*(glance(grey(shot.image), window, shot.face.box) for shot in (first, second)))
    assert motion is not None
    assert motion.everything


def test_follow_says_nothing_of_a_blank() -> None:
    """A face without anything to hold on to."""
    blank = np.full((300, 300, 3), 128, np.uint8)
    window = Window.around(blank, (100.0, 100.0, 80.0, 100.0))
    seen = glance(grey(blank), window, (100.0, 100.0, 80.0, 100.0))
    assert follow(seen, seen) is None
    assert 0 == len(edges.segments(seen))


@pytest.mark.parametrize("seed", range(4))
def test_a_live_face_raises_nothing(seed: int) -> None:
    """Head and hand move each by itself, the wall stays."""
    cues = cues_of(live(seed=seed))
    assert frozenset() == cues.raised
    assert cues.badge.difference > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_the_rim_of_a_print_is_seen(seed: int) -> None:
    """Its edges go where the face goes."""
    cues = cues_of(held_up(seed=seed))
    assert frozenset({Cue.EDGES_FOLLOW}) == cues.raised


@pytest.mark.parametrize("seed", range(4))
def test_face_and_badge_on_one_sheet_are_seen(seed: int) -> None:
    """They move as one surface."""
    cues = cues_of(held_up(seed=seed, on_sheet=True))
    assert Cue.BADGE_FOLLOWS in cues.raised
    assert cues.badge.difference < 0.1


@pytest.mark.parametrize("play", [live, held_up])
def test_what_does_not_move_tells_nothing(play: object) -> None:
    """A still picture of either kind raises no cue: there is nothing to compare."""
    assert callable(play)
    cues = cues_of(play(step=0.0))
    assert frozenset() == cues.raised


def test_a_shaken_camera_raises_nothing() -> None:
    """Before a wall with something on it."""
    assert frozenset() == cues_of(shaken(live(step=0.2), 20)).raised


def test_nothing_is_kept_when_wiped() -> None:
    """The glances are overwritten, those left behind on the way too."""
    cues, kept = Cues(), []
    for shot in held_up():
        cues.add(shot.image, shot.face.box)
        kept.append(cues._kept[-1].glance.grey)
    assert [False] * 3 == [not each.any() for each in kept[-3:]]
    cues.wipe()
    assert all(not each.any() for each in kept)


def test_code_corners() -> None:
    """Where the code is, to a few pixels; nothing without one, or with two."""
    shot = held_up()[0]
    found = badge.code_corners(grey(shot.image))
    assert found is not None
    assert (4, 2) == found.shape
    assert 100 < np.ptp(found[:, 0]) < 150
    assert badge.code_corners(np.full((200, 200), 200, np.uint8)) is None
    two = np.hstack([shot.image, shot.image])
    assert badge.code_corners(grey(two)) is None


def test_faces_of_other_sizes() -> None:
    """A face that fills the picture, and one of a few pixels, are no trouble."""
    for box in [
        *((-50.0, -80.0, 900.0, 1100.0), (400.0, 300.0, 6.0, 8.0), (799.0, 599.0, FACE, FACE)),
        *((400.0, 300.0, 0.0, 0.0), (3000.0, 3000.0, FACE, FACE), (-900.0, 10.0, FACE, FACE)),
    ]:
        cues = Cues()
        for shot in live()[:3]:
            cues.add(shot.image, box)
        assert frozenset() == cues.raised
