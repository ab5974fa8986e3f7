"""Bad frames, videos and photographs: one line and exit code 2, or amber; never a traceback, never green."""

from __future__ import annotations

import json
import logging
import struct
import subprocess
import sys
import zlib
from datetime import date, timedelta

import cv2
import numpy as np
import pytest

from edgegate.model import Image
from tests.bad_input import NOISE, SHORT, held_up, played, record, refused
from tests.commands import Cli
from tests.conftest import Site, blank

pytestmark = pytest.mark.usefixtures("same_signal_handlers")


def giant() -> bytes:
    """A PNG of 20,000 x 20,000 pixels in 50 kB."""
    side = 20_000
    body = b""
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes((side // 8 + 1) * side), 9)),
        (b"IEND", b""),
    ):
        body += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + body


def png(image: Image) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


NO_PICTURES = {
    "nothing": b"",
    "text": b"this is no picture\n",
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n",
    "giant": giant(),
    "truncated": png(np.asarray(np.frombuffer(NOISE[:3072], np.uint8).reshape(32, 32, 3)))[:1500],
}


def test_unreadable_frames_are_passed_over(site: Site, cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    """Truncated, giant, empty and foreign files among the frames: each is named, the others still count."""
    site.enrol(None, badge="badge.png")
    frame = held_up(site.folder / "badge.png")
    record(site, [*NO_PICTURES.values(), frame, *NO_PICTURES.values(), frame, blank()])
    (site.folder / "frames/0000.jpg").mkdir()
    with caplog.at_level(logging.WARNING):
        assert ["refer/not_enrolled"] == played(site, cli)
    passed = [line for line in caplog.messages if line.startswith("passed over: ")]
    assert 2 * len(NO_PICTURES) + 1 == len(passed)
    assert all("; " in line for line in passed)


def test_frames_that_break_off_while_looking_are_amber(site: Site, cli: Cli) -> None:
    """A volunteer's badge is read, then no picture can be: the gate has seen nobody and says so."""
    site.enrol("ana", badge="badge.png")
    record(site, [held_up(site.folder / "badge.png"), *[b"broken"] * 9])
    assert ["refer/no_face"] == played(site, cli)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (3000, 1, 3), (7, 5, 3)])
def test_frames_of_no_size_are_amber(site: Site, cli: Cli, shape: tuple[int, int, int]) -> None:
    """Slivers of a picture after a volunteer's badge: nothing breaks, nobody passes."""
    site.enrol("ana", badge="badge.png")
    record(site, [held_up(site.folder / "badge.png"), *[np.full(shape, 90, np.uint8)] * 9])
    assert ["refer/no_face"] == played(site, cli)


def test_a_recording_without_one_good_frame_decides_nothing(site: Site, cli: Cli) -> None:
    """Only rubbish: it plays to its end and nobody passes."""
    record(site, list(NO_PICTURES.values()))
    assert [] == played(site, cli)


def test_a_source_that_is_not_there_is_one_line(site: Site, cli: Cli) -> None:
    """An empty, missing or mistaken folder or file as the camera's source."""
    (site.folder / "empty").mkdir()
    (site.folder / "file").write_text("x")
    (site.folder / "zero.mp4").write_bytes(b"")
    for source, says in (
        ("frames:empty", f"{site.folder / 'empty'}: holds no picture; put JPEG or PNG files there"),
        ("frames:none", f"{site.folder / 'none'}: cannot be listed (No such file or directory); correct camera.source"),
        ("frames:file", f"{site.folder / 'file'}: cannot be listed (Not a directory); correct camera.source"),
        ("video:none.mp4", f"{site.folder / 'none.mp4'}: is no file; correct camera.source"),
        ("video:empty", f"{site.folder / 'empty'}: is no file; correct camera.source"),
        ("video:zero.mp4", f"{site.folder / 'zero.mp4'}: is not a video that can be read; use an MP4"),
    ):
        site.configure(camera={"source": source})
        refused(site, cli, "run", "--until-end", says=says)
    site.configure(camera={"source": "frames:empty"})
    refused(site, cli, "enroll", "add", "--diary", "--badge-out", "none/badge.png", says="none/badge.png")


def apart(site: Site, *args: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, where the output of native libraries shows too."""
    command = [sys.executable, "-m", "edgegate", *args]
    return subprocess.run(command, cwd=site.folder, capture_output=True, text=True, timeout=60, check=False)


def unlogged(err: str) -> list[str]:
    return [line for line in err.splitlines() if not line.startswith(("INFO ", "WARNING "))]


def test_a_video_that_is_none_is_one_line(site: Site) -> None:
    """Text in a file named .mp4; what the video library mutters is not shown."""
    content = b"no video\n" * 9
    (site.folder / "film.mp4").write_bytes(content)
    site.configure(camera={"source": "video:film.mp4"})
    done = apart(site, "run", "--until-end", "--events", "-")
    film = site.folder / "film.mp4"
    assert [f"edgegate: {film}: is not a video that can be read; use an MP4, AVI or MKV file that plays"] == unlogged(
        done.stderr
    )
    assert 2 == done.returncode
    assert content == film.read_bytes()


def test_a_truncated_video_plays_as_far_as_it_goes(site: Site) -> None:
    """Half a film: what is there counts, where it breaks off is said, and the gate ends in peace."""
    film = site.folder / "film.avi"
    site.enrol(None, badge="badge.png")
    frame = held_up(site.folder / "badge.png")
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 5, (frame.shape[1], frame.shape[0]))
    for _ in range(20):
        writer.write(frame)
    writer.release()
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    site.configure(camera={"source": "video:film.avi", "fps": 5}, gate=SHORT)
    done = apart(site, "run", "--until-end", "--events", "-")
    assert (0, []) == (done.returncode, unlogged(done.stderr))
    decisions = [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "decision"]
    assert ["not_enrolled"] == [event["reason"] for event in decisions]


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_photographs_that_are_none_are_one_line(site: Site, cli: Cli, kind: str) -> None:
    """Every command that takes a picture names it and stops; nothing is enrolled, written or revoked."""
    site.enrol("ana")
    (site.folder / "photo.jpg").write_bytes(NO_PICTURES[kind])
    consent = ["--consent-by", "both", "--consent-version", "1", "--expires"]
    soon = (date.today() + timedelta(days=30)).isoformat()
    for command in (
        ["enroll", "add", "--volunteer", "--photo", "photo.jpg", *consent, soon, "--badge-out", "b.png"],
        ["enroll", "revoke", "photo.jpg"],
        ["verify", "photo.jpg", "photo.jpg"],
        ["simulate", "--photo", "photo.jpg", "--out", "out"],
        ["simulate", "--badge", "photo.jpg", "--out", "out"],
    ):
        refused(site, cli, *command, says="photo.jpg: ")
    assert not (site.folder / "b.png").exists()
    assert not (site.folder / "out").exists()
    assert 1 == len(json.loads(cli("enroll", "list", "--json", cwd=site.folder)[1]))


@pytest.mark.parametrize("size", ["1x3000", "3000x2"])
def test_a_sliver_of_a_photograph_is_one_line(site: Site, cli: Cli, size: str) -> None:
    """A picture one pixel high or two wide holds no face, for the real detector too."""
    width, height = map(int, size.split("x"))
    cv2.imwrite(str(site.folder / "sliver.png"), np.full((height, width, 3), 120, np.uint8))
    says = "sliver.png: no face is found"
    refused(site, cli, "verify", "sliver.png", "sliver.png", "--pack", "dlib", says=says)
