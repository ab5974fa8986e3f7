"""A network camera over RTSP, against a real server on this machine: its faults, and its password."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from edgegate.camera import capture, rtsp
from edgegate.camera.feed import CameraFeed
from edgegate.camera.rtsp import RtspCamera
from edgegate.clock import RealClock
from edgegate.errors import CameraLost
from edgegate.model import Reason
from tests.contracts import kit
from tests.rtsp_server import NetworkCamera, serving, still

LOGIN = "bob:s3cret"
SLACK_S = 1.0


@pytest.fixture
def network() -> Iterator[NetworkCamera]:
    """A network camera that wants a password."""
    with serving(NetworkCamera(still(), login=LOGIN)) as made:
        yield made


def camera(network: NetworkCamera, login: str = LOGIN) -> RtspCamera:
    return RtspCamera(f"rtsp://{login}@127.0.0.1:{network.port}/live", 320, 240, 25)


def lost(act: RtspCamera, limit_s: float) -> str:
    """Read until the camera is lost, which must not take longer than this. Returns what is said."""
    start = time.monotonic()
    with pytest.raises(CameraLost) as caught:
        while True:
            act.read()
    assert time.monotonic() - start < limit_s + SLACK_S
    return kit.said(caught.value)


def test_pictures_come_at_once(network: NetworkCamera) -> None:
    """What is before the camera now is in the next picture but two, not in one that waited."""
    real = camera(network)
    real.open()
    for _ in range(5):
        assert 2 != real.read()[100, 20].argmax()
    network.picture = still()[:, ::-1].copy()
    changed, count = time.monotonic(), 0
    while real.read()[100, 20].argmax() != 2:
        count += 1
    assert time.monotonic() - changed < 0.5 + SLACK_S
    assert count <= 3
    real.close()


def test_a_camera_that_falls_silent_is_lost(network: NetworkCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is there and nothing comes any more, as when the camera's power is cut: a time limit ends it."""
    monkeypatch.setattr(rtsp, "READ_S", 1)
    real = camera(network)
    real.open()
    real.read()
    network.silent = True
    assert "rtsp://127.0.0.1/…: gives no more pictures; check its power and network" == lost(real, 1)


def test_a_camera_that_hangs_up_is_lost_at_once(network: NetworkCamera) -> None:
    """A connection that ends is noticed without waiting."""
    real = camera(network)
    real.open()
    real.read()
    network.unplug()
    lost(real, 0)
    real.close()


@pytest.mark.parametrize("fault", ["deaf", "login", "gone"])
def test_a_camera_that_does_not_open(network: NetworkCamera, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """It may come back, so it is lost; the line does not guess which of the reasons it was."""
    monkeypatch.setattr(rtsp, "OPEN_S", 1)
    if fault == "deaf":
        network.deaf = True
    elif fault == "gone":
        network.port = 1
    real = camera(network, "bob:wrong" if fault == "login" else LOGIN)
    start = time.monotonic()
    with pytest.raises(CameraLost) as caught:
        real.open()
    assert time.monotonic() - start < 1 + SLACK_S
    expected = "does not answer with pictures; check its power, network, name and password"
    assert f"rtsp://127.0.0.1/…: {expected}" == kit.said(caught.value)


def test_the_password_is_never_shown(
    network: NetworkCamera, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in name, repr, errors or logs, nor in what OpenCV and FFmpeg might write by themselves."""
    caplog.set_level(logging.DEBUG)
    real = camera(network)
    feed = CameraFeed(real, RealClock())
    assert feed.open()
    feed.pump()
    network.unplug()
    while feed.pump() is not None:
        pass
    feed.faults(time.monotonic())
    network.login = "bob:changed"
    assert feed.open() is False
    feed.close()
    out, err = capfd.readouterr()
    assert "s3cret" not in f"{out}{err}{caplog.text}{real.name}{real!r}{real.given!r}"
    assert ("", "") == (out, err)
    assert "camera_lost: rtsp://127.0.0.1/…: gives no more pictures" in caplog.text


def test_it_is_lost_and_found_by_the_feed(caplog: pytest.LogCaptureFixture) -> None:
    """Unplugged and plugged in again: `camera_lost`, then pictures, by itself; one line each way."""
    network, clock = NetworkCamera(still()), RealClock()
    with serving(network):
        feed = CameraFeed(RtspCamera(f"rtsp://127.0.0.1:{network.port}/live", 320, 240, 25), clock)
        assert feed.open()
        assert feed.pump() is not None
        assert feed.faults(clock.monotonic()) == set()
    while feed.pump() is not None:
        pass
    for _ in range(3):
        assert feed.open() is False
        assert feed.faults(clock.monotonic()) == {Reason.CAMERA_LOST}
    with serving(network):
        assert feed.open()
        assert feed.pump() is not None
        assert feed.faults(clock.monotonic()) == set()
        feed.close()
    assert ["ERROR", "WARNING"] == [record.levelname for record in caplog.records]


def test_another_size_is_said(network: NetworkCamera, caplog: pytest.LogCaptureFixture) -> None:
    """What the camera is set to is compared with the configuration, and shown to `doctor`."""
    real = RtspCamera(f"rtsp://{LOGIN}@127.0.0.1:{network.port}/live", 1280, 720, 15)
    real.open()
    assert (240, 320, 3) == real.read().shape
    assert capture.Given(320, 240, 25.0, "MJPG") == real.given
    real.close()
    expected = "gives 320 x 240 at 25 fps, MJPG instead of 1280 x 720 at 15 fps; choose another stream of the camera"
    assert [f"rtsp://127.0.0.1/…: {expected}, or set it in its own menu"] == [
        row.getMessage() for row in caplog.records
    ]
