"""What a camera was asked for and what it gave: compared once, said once, with what to do. And GStreamer's refusals."""

from __future__ import annotations

import subprocess
import sys

import cv2
import pytest

from edgegate.camera.capture import Asked, Given, Mismatch, four_letters
from edgegate.camera.gstreamer import SINK, GstreamerCamera
from edgegate.errors import CameraLost, EdgeGateError
from tests.contracts.kit import said

HD = Asked(1280, 720, 15, "MJPG")


@pytest.mark.parametrize(
    ("given", "differs"),
    [
        (Given(1280, 720, 15, "MJPG"), False),
        (Given(1280, 720, 30, "MJPG"), False),  # what is too much is left out
        (Given(1280, 720, 14.5, "MJPG"), False),
        (Given(1280, 720, 0, "MJPG"), False),  # it does not say
        (Given(1280, 720, 10, "MJPG"), True),
        (Given(640, 480, 15, "MJPG"), True),
        (Given(1280, 960, 15, "MJPG"), True),
        (Given(1280, 720, 15, "YUYV"), True),
    ],
)
def test_what_differs(given: Given, differs: bool) -> None:
    """Another size or format, or a rate that is lower by more than a tenth."""
    assert differs is HD.differs(given)


def test_any_format_will_do_when_none_is_asked_for() -> None:
    """`format: auto` is content with what comes."""
    assert not Asked(1280, 720, 15).differs(Given(1280, 720, 15, "NV12"))


def test_a_mismatch_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each other thing that is given, not one at every reconnect; asked, given and what to do."""
    mismatch = Mismatch("v4l2:/dev/video0", "set camera.width")
    for given in (Given(640, 480, 30, "MJPG"), Given(640, 480, 30, "MJPG"), Given(1280, 720, 15, "MJPG")):
        mismatch.check(HD, given)
    mismatch.check(HD, Given(1280, 720, 5, "YUYV"))
    mismatch.check(HD, Given(1280, 720, 5, "YUYV"))
    assert [
        "v4l2:/dev/video0: gives 640 x 480 at 30 fps, MJPG instead of 1280 x 720 at 15 fps, MJPG; set camera.width",
        "v4l2:/dev/video0: gives 1280 x 720 at 5 fps, YUYV instead of 1280 x 720 at 15 fps, MJPG; set camera.width",
    ] == [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("code", "text"),
    [(1196444237.0, "MJPG"), (float(cv2.VideoWriter.fourcc(*"YUYV")), "YUYV"), (0, ""), (-1, ""), (7, ""), (1e12, "")],
)
def test_four_letters(code: float, text: str) -> None:
    """A pixel format is shown by its letters, and nothing strange ever is."""
    assert text == four_letters(code)


def test_a_pipeline_without_gstreamer() -> None:
    """OpenCV of PyPI has none: that can never work, so it is no lost camera, and the password stays out of sight."""
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        pytest.skip("this OpenCV has GStreamer: name a pipeline with EDGEGATE_TEST_PIPELINE for its contract tests")
    camera = GstreamerCamera(f"rtspsrc location=rtsp://bob:s3cret@camera/ ! {SINK}", 1280, 720, 15)
    with pytest.raises(EdgeGateError) as caught:
        camera.open()
    assert not isinstance(caught.value, CameraLost)
    assert "gstreamer:rtspsrc ! …: this OpenCV is built without GStreamer" in said(caught.value)
    assert "s3cret" not in f"{caught.value}{camera.name}{camera!r}"


def test_a_pipeline_that_ends_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV can take pictures from an appsink only; what to write is in the line."""
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda backend: True)
    with pytest.raises(EdgeGateError, match=r"has no appsink; let it end in `videoconvert ! .* ! appsink drop=true"):
        GstreamerCamera("nvarguscamerasrc ! fakesink", 1280, 720, 15).open()


def test_opencv_is_quiet() -> None:
    """What OpenCV writes to stderr by itself would be a line a second in the journal while a camera is lost."""
    code = (
        "import cv2; from edgegate.camera import capture\n"
        "for backend in (cv2.CAP_V4L2, cv2.CAP_FFMPEG): cv2.VideoCapture('/dev/null', backend).read()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("", "") == (done.stdout, done.stderr)
