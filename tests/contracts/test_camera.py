"""Port `Camera`: simulated, recorded and real cameras keep the same promises.

Real ones are named by the environment:

- EDGEGATE_TEST_CAMERA: a V4L2 device, such as /dev/video0 or /dev/v4l/by-id/…
- EDGEGATE_TEST_CAMERA_UNPLUG, EDGEGATE_TEST_CAMERA_REPLUG: commands that take it away and bring it back
- EDGEGATE_TEST_PIPELINE: a GStreamer pipeline, for an OpenCV that is built with it

The network camera is a server of the tests, `tests.rtsp_server`. Picamera2 runs on a Raspberry Pi only: what its
adapter does with it is tested beside, in `tests/test_picamera2.py`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate.camera.capture import Capture
from edgegate.camera.feed import LOST_AFTER_S, CameraFeed
from edgegate.camera.gstreamer import GstreamerCamera
from edgegate.camera.recorded import FramesCamera, VideoCamera
from edgegate.camera.rtsp import RtspCamera
from edgegate.camera.scene import Scene
from edgegate.camera.scripted import ScriptedCamera
from edgegate.camera.stage import StageCamera, passers_by
from edgegate.camera.v4l2 import V4l2Camera
from edgegate.clock import RealClock
from edgegate.errors import CameraLost, EdgeGateError, EndOfFrames
from edgegate.model import Image, Reason
from edgegate.ports import Camera
from tests.contracts.kit import said
from tests.rtsp_server import NetworkCamera, serving

WIDTH, HEIGHT, FRAMES = 320, 240, 4
PATIENCE_S = 60.0
GONE = (CameraLost, EndOfFrames)


def picture(number: int) -> Image:
    """Blue on the left, red on the right, brighter with every number."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2, 0] = image[:, WIDTH // 2 :, 2] = 100 + 30 * number
    return image


def frames(folder: Path) -> Camera:
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number}.png"), picture(number))
    return FramesCamera(folder)


def video(folder: Path) -> Camera:
    file = folder / "film.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 15, (WIDTH, HEIGHT))
    for number in range(FRAMES):
        writer.write(picture(number))
    writer.release()
    return VideoCamera(file)


def scripted(folder: Path) -> Camera:
    return ScriptedCamera(picture(0))


def stage(folder: Path) -> Camera:
    return StageCamera(Scene, WIDTH, HEIGHT)


def demo(folder: Path) -> Camera:
    return passers_by(WIDTH, HEIGHT)


def named(variable: str) -> str:
    """What the environment names; without it the test is skipped."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"no camera to test: {variable} names none")
    return value


def v4l2(folder: Path) -> Camera:
    return V4l2Camera(named("EDGEGATE_TEST_CAMERA"), WIDTH, HEIGHT, 15)


def yuyv(folder: Path) -> Camera:
    return V4l2Camera(named("EDGEGATE_TEST_CAMERA"), WIDTH, HEIGHT, 15, "yuyv")


def gstreamer(folder: Path) -> Camera:
    return GstreamerCamera(named("EDGEGATE_TEST_PIPELINE"), WIDTH, HEIGHT, 15)


@pytest.fixture
def network() -> Iterator[NetworkCamera]:
    """A network camera that is plugged in."""
    with serving(NetworkCamera(picture(1))) as made:
        yield made


def rtsp(network: NetworkCamera, login: str = "") -> RtspCamera:
    return RtspCamera(f"rtsp://{login}127.0.0.1:{network.port}/live", WIDTH, HEIGHT, 15)


MAKERS: dict[str, Callable[[Path], Camera]] = {
    "frames": frames,
    "video": video,
    "scripted": scripted,
    "stage": stage,
    "demo": demo,
    "v4l2": v4l2,
    "yuyv": yuyv,
    "gstreamer": gstreamer,
}


@pytest.fixture(params=[*MAKERS, "rtsp"])
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Camera]:
    """Each adapter, not opened yet, before a scene of known size."""
    with ExitStack() as stack:
        if request.param == "rtsp":
            made: Camera = rtsp(stack.enter_context(serving(NetworkCamera(picture(1)))))
        else:
            made = MAKERS[request.param](tmp_path)
        stack.callback(made.close)
        yield made


def test_pictures_are_bgr_arrays_of_bytes(camera: Camera) -> None:
    """A picture is (height, width, 3) uint8; where the test chose the size, it is that size."""
    camera.open()
    image = camera.read()
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert np.uint8 == image.dtype
    if isinstance(camera, Capture):
        assert camera.given is not None
        assert (camera.given.height, camera.given.width) == image.shape[:2]
    else:
        assert (HEIGHT, WIDTH, 3) == image.shape


@pytest.mark.parametrize("make", [frames, video, scripted, None])
def test_channels_are_blue_green_red(
    make: Callable[[Path], Camera] | None, network: NetworkCamera, tmp_path: Path
) -> None:
    """What is blue in the scene is in channel 0, what is red in channel 2."""
    camera = make(tmp_path) if make else rtsp(network)
    camera.open()
    image = camera.read()
    left = image[:, : WIDTH // 2 - 16].mean(axis=(0, 1))
    right = image[:, WIDTH // 2 + 16 :].mean(axis=(0, 1))
    camera.close()
    assert 0 == int(left.argmax())
    assert 2 == int(right.argmax())


def test_a_picture_is_not_overwritten_by_the_next(camera: Camera) -> None:
    """The loop may keep a picture while another is read."""
    camera.open()
    first = camera.read()
    kept = first.copy()
    second = camera.read()
    assert first is not second
    assert np.array_equal(kept, first)


def test_a_picture_may_be_overwritten(camera: Camera) -> None:
    """It belongs to whoever got it, who overwrites it in the end: the camera needs it no more."""
    camera.open()
    first = camera.read()
    assert first.any()
    first.fill(0)
    assert camera.read().any()


def test_recordings_end_and_cameras_go_on(camera: Camera) -> None:
    """A recording gives every picture once, then EndOfFrames each time; a live camera has no end."""
    camera.open()
    for _ in range(FRAMES):
        camera.read()
    if camera.live:
        camera.read()
    else:
        for _ in range(2):
            with pytest.raises(EndOfFrames):
                camera.read()


def test_reading_a_closed_camera_is_an_ordinary_fault(camera: Camera) -> None:
    """Before `open` and after `close` there is nothing to read, and the loop knows both errors."""
    with pytest.raises(GONE):
        camera.read()
    camera.open()
    camera.close()
    with pytest.raises(GONE):
        camera.read()


def test_closing_twice_and_opening_again(camera: Camera) -> None:
    """`close` may be called at any time and again; afterwards the camera opens anew, from the start."""
    camera.close()
    camera.open()
    first = camera.read()
    camera.close()
    camera.close()
    camera.open()
    again = camera.read()
    assert first.shape == again.shape
    assert camera.live or np.array_equal(first, again)


def test_the_name_tells_the_source(camera: Camera) -> None:
    """A technician reads in the log which camera it is."""
    kinds = ("frames:", "video:", "demo", "v4l2:", "gstreamer:", "rtsp:")
    assert 1 == sum(camera.name.startswith(kind) for kind in kinds)


def test_frames_come_by_name_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    """Order is that of the names; a truncated picture, one that is none, and other files do not stop the rest."""
    camera = frames(tmp_path)
    good = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "2b.jpg").write_bytes(b"no picture")
    (tmp_path / "2c.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture", "utf-8")
    camera.open()
    brightness = [int(camera.read().max()) for _ in range(FRAMES - 1)]
    assert [100, 160, 190] == brightness
    with pytest.raises(EndOfFrames):
        camera.read()


def test_a_cut_video_ends_early(tmp_path: Path) -> None:
    """What can be read of a truncated video is played, then it has ended."""
    camera = video(tmp_path)
    file = tmp_path / "film.avi"
    whole = file.read_bytes()
    chunks = [at for at in range(len(whole)) if whole.startswith(b"00dc", at)][:FRAMES]
    file.write_bytes(whole[: chunks[2] + 64])
    camera.open()
    read = 0
    with pytest.raises(EndOfFrames):
        while read <= FRAMES:
            camera.read()
            read += 1
    camera.close()
    assert 0 < read < FRAMES


@pytest.mark.parametrize("kind", [FramesCamera, VideoCamera])
@pytest.mark.parametrize("what", ["missing", "empty", "text", "folder"])
def test_what_can_never_be_played_says_so_in_one_line(
    kind: type[FramesCamera] | type[VideoCamera], what: str, tmp_path: Path
) -> None:
    """A path that holds no recording is a mistake to mend, not a camera that may come back."""
    path = tmp_path / "source"
    if what == "folder":
        path.mkdir()
    elif what != "missing":
        path.write_bytes(b"words, no pictures" if what == "text" else b"")
    camera = kind(path)
    with pytest.raises(EdgeGateError) as caught:
        camera.open()
    assert not isinstance(caught.value, CameraLost)
    assert str(path) in said(caught.value)


@pytest.mark.parametrize("what", ["missing", "null", "file", "folder"])
def test_a_device_that_is_no_camera_is_lost_in_one_line(what: str, tmp_path: Path) -> None:
    """A camera may be plugged in later, so a device that does not open is lost, with the device's name."""
    (tmp_path / "file").write_bytes(b"no camera")
    (tmp_path / "folder").mkdir()
    device = os.devnull if what == "null" else str(tmp_path / what)
    camera = V4l2Camera(device, WIDTH, HEIGHT, 15)
    with pytest.raises(CameraLost) as caught:
        camera.open()
    assert device in said(caught.value)
    with pytest.raises(CameraLost):
        camera.read()
    camera.close()


@pytest.mark.parametrize("make", [scripted, stage])
def test_the_simulated_camera_has_the_faults_of_a_real_one(make: Callable[[Path], Camera], tmp_path: Path) -> None:
    """Lost while unplugged, a picture that repeats itself, and a covered lens."""
    camera = make(tmp_path)
    assert isinstance(camera, ScriptedCamera)
    camera.open()
    moving = camera.read(), camera.read()
    camera.frozen = True
    still = camera.read(), camera.read()
    camera.frozen, camera.dark = False, True
    covered = camera.read()
    camera.unplugged = True
    for act in (camera.read, camera.open):
        with pytest.raises(CameraLost) as caught:
            act()
        said(caught.value)
    camera.unplugged = False
    with pytest.raises(CameraLost):
        camera.read()  # plugged in is not opened yet
    camera.open()
    camera.read()
    assert not np.array_equal(moving[0], moving[1])
    assert np.array_equal(still[0], still[1])
    assert covered.mean() < 5


def test_a_real_camera_is_unplugged_and_plugged_in_again(caplog: pytest.LogCaptureFixture) -> None:
    """`camera_lost` within 2 s, pictures again by itself, and one line each way, as the feed sees the real device."""
    device = named("EDGEGATE_TEST_CAMERA")
    commands = [named(f"EDGEGATE_TEST_CAMERA_{name}") for name in ("UNPLUG", "REPLUG")]
    clock, stopping = RealClock(), threading.Event()
    feed = CameraFeed(V4l2Camera(device, WIDTH, HEIGHT, 15), clock)

    def pump() -> None:
        while not stopping.is_set():
            if not feed.open() or feed.pump() is None:
                stopping.wait(0.5)

    def wait_for(*faults: Reason) -> float:
        start = time.monotonic()
        while feed.faults(clock.monotonic()) != set(faults):
            assert time.monotonic() - start < PATIENCE_S
            time.sleep(0.02)
        return time.monotonic() - start

    assert feed.open()
    thread = threading.Thread(target=pump)
    thread.start()
    try:
        assert feed.newest(0, PATIENCE_S) is not None
        wait_for()
        caplog.clear()
        for _ in range(2):
            subprocess.run(shlex.split(commands[0]), check=True)
            assert wait_for(Reason.CAMERA_LOST) < LOST_AFTER_S + 0.5
            time.sleep(2)
            assert feed.newest() is None
            subprocess.run(shlex.split(commands[1]), check=True)
            wait_for()
            assert feed.newest(0, PATIENCE_S) is not None
    finally:
        stopping.set()
        feed.close()
        thread.join(PATIENCE_S)
    assert ["ERROR", "WARNING"] * 2 == [record.levelname for record in caplog.records]
