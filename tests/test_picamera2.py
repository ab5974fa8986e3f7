"""What the adapter does with Picamera2, which runs on a Raspberry Pi only.

A stand-in with the library's names takes its place here, and nowhere else: what is tested is the order of the calls,
their arguments and what becomes of their errors, not that a real camera answers so.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from edgegate.camera.capture import Given
from edgegate.camera.picamera2 import Picamera2Camera
from edgegate.errors import CameraLost, EdgeGateError
from tests.contracts.kit import said


class StandIn:
    """The part of picamera2.Picamera2 that is used."""

    cameras: ClassVar[int] = 1
    does: ClassVar[list[str]] = []
    settings: ClassVar[dict[str, Any]] = {}
    fails: ClassVar[str] = ""

    def __init__(self, number: int) -> None:
        self._act(f"make {number}")

    @classmethod
    def global_camera_info(cls) -> list[dict[str, str]]:
        return [{"Model": "imx708"}] * cls.cameras

    def create_video_configuration(self, **settings: Any) -> dict[str, Any]:
        StandIn.settings = settings
        return settings

    def configure(self, settings: dict[str, Any]) -> None:
        self._act("configure")

    def camera_configuration(self) -> dict[str, Any]:
        return self.settings

    def start(self) -> None:
        self._act("start")

    def capture_array(self, name: str, wait: bool) -> Any:
        class Job:
            def get_result(self, timeout: float) -> Any:
                future: Future[Any] = Future()
                if StandIn.fails != "capture":
                    size = StandIn.settings[name]["size"]
                    future.set_result(np.zeros((size[1], size[0], 3), np.uint8))
                return future.result(timeout=timeout / 100)

        assert not wait
        return Job()

    def close(self) -> None:
        self._act("close")

    def _act(self, what: str) -> None:
        self.does.append(what)
        if self.fails == what:
            raise RuntimeError(f"libcamera: {what}")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """The stand-in under the library's name, with one camera."""
    module = ModuleType("picamera2")
    module.Picamera2 = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    StandIn.cameras, StandIn.does, StandIn.fails = 1, [], ""
    return StandIn


@pytest.fixture
def camera() -> Picamera2Camera:
    return Picamera2Camera(0, 1280, 720, 15)


def test_a_camera_is_opened_read_and_closed(library: type[StandIn], camera: Picamera2Camera) -> None:
    """Size, byte order and rate are asked for, pictures wait in no queue, and `close` gives the camera back."""
    camera.open()
    assert (720, 1280, 3) == camera.read().shape
    assert Given(1280, 720, 0.0, "RGB888") == camera.given
    camera.close()
    camera.close()
    assert ["make 0", "configure", "start", "close"] == library.does
    assert {
        "main": {"size": (1280, 720), "format": "RGB888"},
        "controls": {"FrameDurationLimits": (66667, 66667)},
        "queue": False,
    } == library.settings


def test_a_camera_that_is_not_connected(library: type[StandIn], camera: Picamera2Camera) -> None:
    """It is not even tried, which would leak; it may be there later."""
    library.cameras = 0
    with pytest.raises(CameraLost) as caught:
        camera.open()
    assert "picamera2:0: is not there; check the ribbon cable" in said(caught.value)
    assert [] == library.does


@pytest.mark.parametrize("step", ["make 0", "configure", "start"])
def test_a_camera_that_does_not_start(library: type[StandIn], camera: Picamera2Camera, step: str) -> None:
    """Whatever libcamera raises is a lost camera in one line, and what was opened is closed."""
    library.fails = step
    with pytest.raises(CameraLost) as caught:
        camera.open()
    assert "picamera2:0: does not start (RuntimeError)" in said(caught.value)
    assert ("close" in library.does) is (step != "make 0")


def test_a_camera_that_hangs(library: type[StandIn], camera: Picamera2Camera) -> None:
    """A picture is waited for, but not for ever."""
    camera.open()
    library.fails = "capture"
    with pytest.raises(CameraLost) as caught:
        camera.read()
    assert "picamera2:0: gives no more pictures (TimeoutError)" in said(caught.value)
    library.fails = "close"
    camera.close()


def test_a_closed_camera_is_lost(camera: Picamera2Camera) -> None:
    """Reading before `open` is an ordinary fault."""
    with pytest.raises(CameraLost):
        camera.read()


@pytest.mark.parametrize("broken", [False, True])
def test_without_the_library(monkeypatch: pytest.MonkeyPatch, camera: Picamera2Camera, broken: bool) -> None:
    """Missing, or unfit beside this numpy: no camera will come by itself, and one line says what to install."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
    what = "Picamera2 is not installed for this Python"
    if broken:
        monkeypatch.setattr("importlib.import_module", lambda name: np.zeros(3).reshape(2, 2))
        what = "Picamera2 cannot be imported (ValueError)"
    with pytest.raises(EdgeGateError) as caught:
        camera.open()
    assert not isinstance(caught.value, CameraLost)
    assert f"picamera2:0: {what}; run `apt install python3-picamera2`" in said(caught.value)
