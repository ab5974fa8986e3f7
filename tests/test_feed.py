"""The feed of one camera: newest frame, faults named and logged once, opened only while somebody asks if so set."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from edgegate.camera import feed as feed_module
from edgegate.camera.feed import CLOSE_WAIT_S, KEPT_S, LOST_AFTER_S, STALE_AFTER_S, CameraFeed
from edgegate.camera.recorded import FramesCamera
from edgegate.camera.scripted import ScriptedCamera
from edgegate.clock import VirtualClock
from edgegate.errors import EdgeGateError
from edgegate.model import Image, Reason
from tests.conftest import blank

FRAME_S = 1 / 15
LOST, STALE, DARK = ({reason} for reason in (Reason.CAMERA_LOST, Reason.CAMERA_STALE, Reason.CAMERA_DARK))
DARK_S = 2.0
LIGHT_S = 0.5


class WatchedCamera(ScriptedCamera):
    """Counts what is done to it, can hang in the middle of a picture, and finds out whether it is closed there."""

    def __init__(self) -> None:
        super().__init__(blank(160, 120))
        self.did: list[str] = []
        self.reading, self.going, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.going.set()
        self.closed_while_reading = False

    def open(self) -> None:
        self.did.append("open")
        super().open()

    def read(self) -> Image:
        self.did.append("read")
        self.reading.set()
        self.going.wait(10)
        self.reading.clear()
        return super().read()

    def close(self) -> None:
        self.closed_while_reading |= self.reading.is_set()
        self.did.append("close")
        self.closed.set()
        super().close()


class Bench:
    """A feed on a clock that the test moves."""

    def __init__(self, *, always: bool = True) -> None:
        self.clock, self.camera = VirtualClock(0), WatchedCamera()
        self.feed = CameraFeed(self.camera, self.clock, always=always)

    def faults(self) -> set[Reason]:
        return set(self.feed.faults(self.clock.monotonic()))

    def wait(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.monotonic() + seconds)

    def play(self, seconds: float) -> list[tuple[float, set[Reason]]]:
        """Open and pump in step with the clock; at which second the faults changed, and to what."""
        start, changes, before = self.clock.monotonic(), [], self.faults()
        for _ in range(round(seconds / FRAME_S)):
            self.wait(FRAME_S)
            if self.feed.open():
                self.feed.pump()
            if (now := self.faults()) != before:
                changes.append((round(self.clock.monotonic() - start, 1), now))
                before = now
        return changes


@pytest.fixture
def bench() -> Bench:
    return Bench()


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Level, fault field and text of what the feed has logged."""
    rows = [record for record in caplog.records if record.name == feed_module.__name__]
    return [(row.levelname, row.__dict__["fault"], row.getMessage()) for row in rows]


def test_the_newest_frame_wins(bench: Bench) -> None:
    """Only the last of several pictures is given, with the moment it came."""
    bench.feed.open()
    for _ in range(3):
        bench.wait(1.0)
        bench.feed.pump()
    frame = bench.feed.newest()
    assert frame is not None
    assert (3, 3.0) == (frame.number, frame.at)
    assert bench.feed.newest(after=3) is None


def test_a_picture_goes_with_the_last_who_looks_at_it(bench: Bench) -> None:
    """As long as the loop or the reader's thread holds a frame its picture stays; then it is overwritten."""
    bench.feed.open()
    bench.feed.pump()
    frame, same = bench.feed.newest(), bench.feed.newest()
    assert frame is not None
    image = frame.image
    bench.feed.pump()
    del frame
    assert image.all()
    del same
    assert not image.any()


def test_the_newest_picture_is_dropped_when_it_is_old(bench: Bench) -> None:
    """A camera that hangs in the middle of the next one leaves nobody's face behind."""
    bench.play(1)
    frame = bench.feed.newest()
    assert frame is not None
    image = frame.image
    del frame
    bench.wait(KEPT_S - 0.1)
    bench.faults()
    assert image.any()
    bench.wait(0.2)
    assert LOST == bench.faults()
    assert not image.any()
    assert bench.feed.newest() is None


def test_newest_waits_for_a_frame(bench: Bench) -> None:
    """A loop that looks at faces gets the next picture as soon as it is there."""
    bench.feed.open()
    threading.Timer(0.05, bench.feed.pump).start()
    assert bench.feed.newest(0, 5.0) is not None


def test_an_unplugged_camera_is_lost_until_a_picture_comes(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The fault begins with the failed read and ends with a picture; one line each way, with the fault as a field."""
    bench.play(1)
    bench.camera.unplugged = True
    assert [(0.1, LOST)] == bench.play(3)
    assert bench.feed.newest() is None
    bench.camera.unplugged = False
    assert [(0.1, set())] == bench.play(3)
    assert [
        ("ERROR", "camera_lost", "camera_lost: demo: gives no more pictures; check its plug and cable"),
        ("WARNING", "camera_lost", "camera_lost: over"),
    ] == lines(caplog)


def test_a_camera_that_opens_and_gives_nothing_stays_lost(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """To open is not to be well: the log does not fill with a camera that is lost and back every second."""
    bench.play(1)
    bench.camera.unplugged = True
    bench.play(1)
    bench.camera.unplugged = False
    for _ in range(5):
        bench.wait(1.0)
        assert bench.feed.open()
        assert bench.faults() == LOST
        bench.camera.unplugged = True
        assert bench.feed.pump() is None
        bench.camera.unplugged = False
    assert ["ERROR"] == [level for level, *_ in lines(caplog)]


def test_a_camera_that_was_never_there(caplog: pytest.LogCaptureFixture) -> None:
    """The gate starts without its camera and says so; it needs no restart when the camera comes."""
    bench = Bench()
    bench.camera.unplugged = True
    assert bench.feed.open() is False
    assert bench.faults() == LOST
    bench.camera.unplugged = False
    assert [(0.1, set())] == bench.play(1)
    assert [
        ("ERROR", "camera_lost", "camera_lost: demo: is not there; plug the camera in"),
        ("WARNING", "camera_lost", "camera_lost: over"),
    ] == lines(caplog)


def test_what_can_never_be_opened_is_an_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A mistake in the configuration ends the start with its line; found later, it is a lost camera as well."""
    feed = CameraFeed(FramesCamera(tmp_path_factory.mktemp("empty")), VirtualClock(0))
    with pytest.raises(EdgeGateError, match="holds no picture"):
        feed.open()
    assert feed.faults(0.0) == LOST


def test_a_read_that_hangs_is_seen_by_the_loop(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """`faults` notices within 2 s and logs it, although the thread that reads says nothing; a picture ends it."""
    bench.feed.open()
    bench.feed.pump()
    bench.camera.going.clear()
    reader = threading.Thread(target=bench.feed.pump)
    reader.start()
    assert bench.camera.reading.wait(5)
    bench.wait(LOST_AFTER_S)
    assert bench.faults() == set()
    bench.wait(0.1)
    assert [LOST, LOST] == [bench.faults(), bench.faults()]
    bench.camera.going.set()
    reader.join(5)
    assert bench.faults() == set()
    assert [
        ("ERROR", "camera_lost", "camera_lost: demo: gives no pictures; check its plug and cable"),
        ("WARNING", "camera_lost", "camera_lost: over"),
    ] == lines(caplog)


@pytest.mark.parametrize("finishes", [True, False])
def test_closing_never_meets_a_read(bench: Bench, monkeypatch: pytest.MonkeyPatch, finishes: bool) -> None:
    """OpenCV crashes when a camera is closed while another thread reads: `close` waits for the read, and leaves the
    camera to that thread when it takes too long."""
    monkeypatch.setattr(feed_module, "CLOSE_WAIT_S", CLOSE_WAIT_S if finishes else 0.05)
    bench.feed.open()
    bench.camera.going.clear()
    reader = threading.Thread(target=bench.feed.pump)
    reader.start()
    assert bench.camera.reading.wait(5)
    if finishes:
        threading.Timer(0.1, bench.camera.going.set).start()
    bench.feed.close()
    assert bench.camera.closed.is_set() is finishes
    bench.camera.going.set()
    assert bench.camera.closed.wait(5)
    reader.join(5)
    assert not bench.camera.closed_while_reading
    assert bench.feed.newest() is None
    assert bench.feed.open() is False
    assert bench.camera.did[-1] == "close"


def test_a_picture_that_repeats_itself(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A live camera's noise never repeats: the same picture for 2 s is a fault, over with the next other one."""
    bench.play(1)
    bench.camera.frozen = True
    assert [(STALE_AFTER_S, STALE)] == bench.play(4)
    bench.camera.frozen = False
    assert [(0.1, set())] == bench.play(1)
    assert [
        ("ERROR", "camera_stale", "camera_stale: demo: repeats one picture; unplug it and plug it in again"),
        ("WARNING", "camera_stale", "camera_stale: over"),
    ] == lines(caplog)


def test_a_covered_lens(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Dark for 2 s is a fault; it is over when pictures have been good for half a second."""
    bench.play(1)
    bench.camera.dark = True
    assert [(DARK_S, DARK)] == bench.play(4)
    bench.camera.dark = False
    assert [(LIGHT_S, set())] == bench.play(1)
    assert [
        ("ERROR", "camera_dark", "camera_dark: demo: sees nothing; uncover and clean the lens, or light the entrance"),
        ("WARNING", "camera_dark", "camera_dark: over"),
    ] == lines(caplog)


def test_somebody_who_passes_close_by(bench: Bench) -> None:
    """A lens that is covered for less than 2 s at a time is no fault; nor does one light picture end one."""
    for _ in range(3):
        bench.camera.dark = True
        assert [] == bench.play(DARK_S - 0.2)
        bench.camera.dark = False
        assert [] == bench.play(0.2)
    bench.camera.dark = True
    bench.play(DARK_S + 0.2)
    for _ in range(3):
        bench.camera.dark = False
        assert [] == bench.play(LIGHT_S - 0.2)
        bench.camera.dark = True
        assert [] == bench.play(0.2)
    assert bench.faults() == DARK


def test_recordings_may_be_dark_and_still() -> None:
    """They are what somebody chose to play."""
    bench = Bench()
    bench.camera.live = False
    bench.camera.dark = bench.camera.frozen = True
    assert [] == bench.play(4)


def test_an_old_picture_shown_again_after_opening_is_not_given(bench: Bench) -> None:
    """A decoder that fails on its first picture may show what lay in its memory: the last one of before."""
    bench.play(1)
    bench.camera.frozen = bench.camera.unplugged = True
    bench.play(1)
    bench.camera.unplugged = False
    bench.play(1)
    assert bench.feed.newest() is None
    bench.camera.frozen = False
    bench.play(FRAME_S)
    assert bench.feed.newest() is not None


def test_a_camera_that_nobody_asks_for_is_closed() -> None:
    """Opened with the first wish, closed after the last; meanwhile neither frame nor fault, for as long as it takes."""
    bench = Bench(always=False)
    assert bench.feed.wait_wanted(0.0) is False
    bench.wait(60)
    assert bench.faults() == set()
    bench.feed.want(True)
    assert bench.feed.wait_wanted(0.0)
    assert [] == bench.play(3)
    assert bench.feed.newest() is not None
    bench.feed.want(False)
    assert bench.feed.newest() is None
    assert bench.feed.wait_wanted(0.0) is False
    bench.feed.rest()
    assert "close" == bench.camera.did[-1]
    bench.camera.unplugged = bench.camera.dark = True
    bench.wait(60)
    assert bench.faults() == set()
    assert ["open", "close"] == [act for act in bench.camera.did if act != "read"]


def test_a_wish_wakes_the_thread_that_waits_for_it() -> None:
    """The camera opens at once, not at the next look."""
    bench = Bench(always=False)
    threading.Timer(0.05, bench.feed.want, [True]).start()
    assert bench.feed.wait_wanted(5.0)


def test_pictures_of_before_are_never_given() -> None:
    """When the next one asks before the camera was closed: neither the picture that is being read, nor the one that
    the driver may hold, nor the one that was there."""
    bench = Bench(always=False)
    bench.feed.want(True)
    bench.play(1)
    number = bench.camera.did.count("read")
    bench.camera.going.clear()
    reader = threading.Thread(target=bench.feed.pump)
    reader.start()
    assert bench.camera.reading.wait(5)
    bench.feed.want(False)
    bench.feed.want(True)
    assert bench.feed.newest() is None
    bench.camera.going.set()
    reader.join(5)
    bench.feed.pump()
    assert bench.feed.newest() is None
    bench.feed.pump()
    frame = bench.feed.newest()
    assert frame is not None
    assert number + 3 == frame.number


def test_a_camera_that_did_not_open_when_asked_heals_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """The fault stays when nobody asks any more, and is looked after by opening and closing, without a picture."""
    bench = Bench(always=False)
    bench.camera.unplugged = True
    bench.feed.want(True)
    assert bench.feed.open() is False
    bench.feed.want(False)
    assert bench.faults() == LOST
    bench.wait(60)
    assert bench.faults() == LOST
    assert bench.feed.wait_wanted(0.0)
    assert bench.feed.open() is False
    bench.camera.unplugged = False
    assert bench.feed.wait_wanted(0.0)
    assert bench.feed.open() is False
    assert bench.faults() == set()
    assert bench.feed.wait_wanted(0.0) is False
    assert ["open", "open", "open", "close"] == bench.camera.did
    assert ["ERROR", "WARNING"] == [level for level, *_ in lines(caplog)]


def test_a_camera_that_hung_when_asked_is_not_well_because_nobody_asks() -> None:
    """One fault, not one at every wish and its end."""
    bench = Bench(always=False)
    bench.feed.want(True)
    bench.play(1)
    bench.wait(LOST_AFTER_S + 0.1)
    assert bench.faults() == LOST
    bench.feed.want(False)
    assert bench.faults() == LOST
    bench.feed.rest()
    bench.feed.open()
    assert bench.faults() == set()


def test_a_camera_that_is_always_open_hears_no_wishes(bench: Bench) -> None:
    """With `camera.open: always` the loop's wishes change nothing, and cost nothing."""
    bench.feed.open()
    bench.feed.pump()
    bench.feed.want(False)
    assert bench.feed.wait_wanted(0.0)
    assert bench.feed.newest() is not None


def test_nothing_is_logged_for_every_picture(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A minute of good pictures leaves no line."""
    caplog.set_level(logging.DEBUG)
    assert [] == bench.play(60)
    assert [] == caplog.records


def test_a_frame_is_the_camera_s_own_picture(bench: Bench) -> None:
    """What the feed computes on the way changes nothing in the picture."""
    bench.feed.open()
    frame = bench.feed.pump()
    assert frame is not None
    assert (120, 160, 3) == frame.image.shape
    assert 170 == round(float(np.mean(frame.image)))


def test_time_in_which_the_loop_stood_still_does_not_count(bench: Bench) -> None:
    """A model that computes for seconds may keep the camera's thread from its work too: that is no lost camera."""
    bench.feed.open()
    bench.feed.pump()
    bench.clock.advance_to(bench.clock.monotonic() + 6.0)
    bench.feed.excuse(5.5)
    assert bench.faults() == set()
    bench.clock.advance_to(bench.clock.monotonic() + 2.0)
    assert bench.faults() == LOST
