"""What the V4L2 adapter does about a device that does not keep its word.

Real devices are in `tests/contracts/test_camera.py`. None can be made to promise a format and give no picture, or to
change its size under way: for that alone, a stand-in takes the place of OpenCV's VideoCapture here.
"""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edgegate.camera import capture
from edgegate.camera.capture import Given
from edgegate.camera.v4l2 import Format, V4l2Camera
from edgegate.errors import CameraLost
from edgegate.model import Image
from tests.contracts.kit import said

MJPG, YUYV, BGR3 = (cv2.VideoWriter.fourcc(*letters) for letters in ("MJPG", "YUYV", "BGR3"))


@dataclass
class Device:
    """A camera's firmware: what it can do, and what it does then."""

    formats: tuple[int, ...] = (MJPG, YUYV)
    silent: tuple[int, ...] = ()
    """Formats that it takes and gives no picture in."""
    size: tuple[int, int] | None = None
    """The only size there is, whatever is asked for."""
    fps: float | None = None
    true_size: tuple[int, int] | None = None
    """The size of its pictures, where that is not the one it says."""
    broken: bool = False
    """Pictures come, and cannot be decoded."""
    now: float = 0.0
    """The adapter's clock, which every picture moves on."""
    opened: int = 0
    grabbed: int = 0

    def open(self, device: str, backend: int) -> StandIn:
        assert backend == cv2.CAP_V4L2
        self.opened += 1
        return StandIn(self)


@dataclass
class StandIn:
    """The part of cv2.VideoCapture that is used: settings change what the device gives. As in OpenCV, MJPEG comes
    undecoded when it is not to be converted."""

    device: Device
    values: dict[int, float] = field(default_factory=lambda: {cv2.CAP_PROP_FOURCC: BGR3, cv2.CAP_PROP_FPS: 30.0})

    def isOpened(self) -> bool:  # OpenCV's name
        return True

    def set(self, key: int, value: float) -> bool:
        width, height = self.device.size or (None, None)
        fixed = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height, cv2.CAP_PROP_FPS: self.device.fps}
        if key == cv2.CAP_PROP_FOURCC and value not in self.device.formats:
            value = self.values[key]
        self.values[key] = fixed.get(key) or value
        return True  # as OpenCV says, whatever became of it

    def get(self, key: int) -> float:
        return self.values[key]

    def grab(self) -> bool:
        self.device.now += 1 / self.values[cv2.CAP_PROP_FPS]
        self.device.grabbed += 1
        return self.values[cv2.CAP_PROP_FOURCC] not in self.device.silent

    def retrieve(self) -> tuple[bool, Image | None]:
        said = (int(self.values[cv2.CAP_PROP_FRAME_WIDTH]), int(self.values[cv2.CAP_PROP_FRAME_HEIGHT]))
        width, height = self.device.true_size or said
        picture = np.full((height, width, 3), (200, 20, 20), np.uint8)
        if self.values.get(cv2.CAP_PROP_CONVERT_RGB) != 0:
            return not self.device.broken, None if self.device.broken else picture
        jpeg = cv2.imencode(".jpg", picture)[1].reshape(1, -1)
        return True, np.asarray(jpeg[:, : jpeg.size // 2] if self.device.broken else jpeg, np.uint8)

    def release(self) -> None:
        self.values.clear()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """What `cv2.VideoCapture` opens."""
    made = Device()
    monkeypatch.setattr("cv2.VideoCapture", made.open)
    monkeypatch.setattr(capture, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file where the device node would be."""
    (tmp_path / "video0").touch()
    return str(tmp_path / "video0")


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("wanted", "offered", "given"),
    [
        ("auto", (MJPG, YUYV), "MJPG"),
        ("auto", (YUYV,), "YUYV"),
        ("auto", (), "BGR3"),
        ("mjpeg", (MJPG, YUYV), "MJPG"),
        ("yuyv", (MJPG, YUYV), "YUYV"),
    ],
)
def test_the_format_that_is_asked_for(
    device: Device, path: str, caplog: pytest.LogCaptureFixture, wanted: Format, offered: tuple[int, ...], given: str
) -> None:
    """MJPEG comes first with `auto`, then YUYV, then anything that OpenCV can read."""
    device.formats = offered
    camera = V4l2Camera(path, 1280, 720, 15, wanted)
    camera.open()
    picture = camera.read()
    assert (720, 1280, 3) == picture.shape
    assert [200, 20, 20] == picture.mean(axis=(0, 1)).round(-1).tolist()
    assert Given(1280, 720, 15.0, given) == camera.given
    assert [] == messages(caplog)


def test_a_format_that_is_refused_is_said(device: Device, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Asked for by name, another format is a mismatch: the gate works on, and the line says what to look at."""
    device.formats = (YUYV,)
    camera = V4l2Camera(path, 1280, 720, 15, "mjpeg")
    for _ in range(3):
        camera.open()
        camera.read()
    what = "gives 1280 x 720 at 15 fps, BGR3 instead of 1280 x 720 at 15 fps, MJPG"
    cure = f"`v4l2-ctl -d {path} --list-formats-ext` shows what it can do: set camera.width, height, fps, format"
    assert [f"v4l2:{path}: {what}; {cure}"] == messages(caplog)


def test_size_and_rate_that_are_not_given(device: Device, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The driver's word counts, not what was asked for."""
    device.size, device.fps = (640, 480), 5.0
    camera = V4l2Camera(path, 1280, 720, 15)
    camera.open()
    assert (480, 640, 3) == camera.read().shape
    assert Given(640, 480, 5.0, "MJPG") == camera.given
    assert 1 == len(messages(caplog))


@pytest.mark.parametrize(("fps", "for_each"), [(10.0, 1), (15.0, 1), (25.0, 1), (30.0, 2), (60.0, 3)])
def test_a_camera_that_is_too_fast(
    device: Device, path: str, caplog: pytest.LogCaptureFixture, fps: float, for_each: int
) -> None:
    """What was not asked for is left out undecoded; that is no mismatch. The very first picture is left out too."""
    device.fps = fps
    camera = V4l2Camera(path, 1280, 720, 15)
    camera.open()
    camera.read()
    assert 2 == device.grabbed
    for _ in range(5):
        camera.read()
    assert 2 + 5 * for_each == device.grabbed
    assert (fps < 15) is bool(messages(caplog))


def test_a_promise_of_mjpeg_without_pictures(device: Device, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """`auto` tries YUYV, keeps to it at the next opening, and says so once."""
    device.silent = (MJPG,)
    camera = V4l2Camera(path, 1280, 720, 15)
    for _ in range(2):
        camera.open()
        assert (720, 1280, 3) == camera.read().shape
        camera.close()
    assert 3 == device.opened
    line = f"v4l2:{path}: promises MJPG and gives no picture; 1280 x 720 at 15 fps, YUYV does"
    assert [line] == messages(caplog)


@pytest.mark.parametrize("wanted", ["auto", "mjpeg", "yuyv"])
def test_a_camera_without_any_picture_is_lost(device: Device, path: str, wanted: Format) -> None:
    """And is asked in the same way the next time: it was not the format."""
    device.silent = (MJPG, YUYV)
    camera = V4l2Camera(path, 1280, 720, 15, wanted)
    for _ in range(2):
        camera.open()
        with pytest.raises(CameraLost) as caught:
            camera.read()
        assert f"v4l2:{path}: gives no more pictures; check its plug and cable" == said(caught.value)
    device.silent = ()
    camera.open()
    camera.read()
    assert camera.given is not None
    assert ("YUYV" if wanted == "yuyv" else "MJPG") == camera.given.format


def test_pictures_of_another_size_than_it_said(device: Device, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The first picture shows the truth; what was said about it before is corrected, in the log too."""
    device.true_size = (640, 360)
    camera = V4l2Camera(path, 1280, 720, 15)
    camera.open()
    assert (360, 640, 3) == camera.read().shape
    assert Given(640, 360, 15.0, "MJPG") == camera.given
    assert 1 == len(messages(caplog))


def test_a_size_that_changes_under_way(device: Device, path: str) -> None:
    """Somebody else has set the device: it is opened anew, which sets it right."""
    camera = V4l2Camera(path, 1280, 720, 15)
    camera.open()
    camera.read()
    device.true_size = (640, 360)
    with pytest.raises(CameraLost, match="gives a picture of 640 x 360 pixels all at once"):
        camera.read()


@pytest.mark.parametrize("wanted", ["mjpeg", "yuyv"])
def test_broken_pictures_are_passed_over_for_a_while(
    device: Device, path: str, caplog: pytest.LogCaptureFixture, wanted: Format
) -> None:
    """Nothing is logged for each of them; when there is nothing else, the camera is lost."""
    caplog.set_level(logging.DEBUG)
    device.broken = True
    camera = V4l2Camera(path, 1280, 720, 15, wanted)
    camera.open()
    with pytest.raises(CameraLost, match="gives broken pictures only"):
        camera.read()
    assert capture.READ_S < device.now < capture.READ_S + 1
    assert [] == messages(caplog)


def test_the_number_may_move(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name below /dev/v4l/by-id points elsewhere after a restart, and nowhere while the camera is away."""
    for name in ("video0", "video1"):
        (tmp_path / name).touch()
    stable = tmp_path / "usb-Camera-video-index0"
    camera = V4l2Camera(str(stable), 1280, 720, 15)
    for target in ("video0", "video1"):
        stable.unlink(missing_ok=True)
        stable.symlink_to(target)
        camera.open()
        camera.read()
    (tmp_path / "video1").unlink()
    with pytest.raises(CameraLost, match="usb-Camera-video-index0: is not there"):
        camera.open()


def test_a_jpeg_that_claims_to_be_huge(device: Device, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 600 bytes may say that it has 30,000 x 30,000 pixels, for which OpenCV would take 5 GB: it is broken."""
    camera = V4l2Camera(path, 1280, 720, 15)
    camera.open()
    camera.read()
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = 2 * (30_000).to_bytes(2)
    picture = np.frombuffer(jpeg, np.uint8).reshape(1, -1)
    monkeypatch.setattr(StandIn, "retrieve", lambda self: (True, picture.copy()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CameraLost, match="gives broken pictures only"):
        camera.read()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
