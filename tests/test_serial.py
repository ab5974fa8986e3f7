"""Serial readers: framing, noise, speeds, and files that are no serial line."""

from __future__ import annotations

import os
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edgegate.badges.serial_reader import TERMINATORS, SerialLine
from edgegate.errors import EdgeGateError, ReaderLost
from tests.contracts.kit import said
from tests.contracts.test_reader import PATIENCE_S, lost, read


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A pseudo-terminal: the reader's end, and the path of ours."""
    far, near = os.openpty()
    tty.setraw(near)
    path = tmp_path / "scanner"
    path.symlink_to(os.ttyname(near))
    os.close(near)
    yield far, path
    os.close(far)


def opened(path: Path, baud: int = 9600, terminator: str = "cr") -> SerialLine:
    reader = SerialLine(path, baud, terminator)
    reader.open()
    return reader


@pytest.mark.parametrize(
    ("terminator", "data"),
    [
        ("cr", b"0042\r0043\r"),
        ("cr", b"0042\r\n0043\r\n"),
        ("lf", b"0042\n0043\n"),
        ("lf", b"0042\r\n0043\r\n"),
        ("crlf", b"0042\r\n0043\r\n"),
        ("etx", b"\x020042\x03\x020043\x03"),
        ("etx", b"\x020042\r\n\x03\x020043\r\n\x03"),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_framing(line: tuple[int, Path], terminator: str, data: bytes, step: int) -> None:
    """Every terminator, whole and in pieces, with what readers put around a code."""
    far, path = line
    reader = opened(path, terminator=terminator)
    for start in [*range(0, len(data), step)] * 2:
        os.write(far, data[start : start + step])
        assert reader._readable(PATIENCE_S)
        reader._receive()
    assert ["0042", "0043"] * 2 == [read(reader) for _ in range(4)]
    reader.close()


def test_each_terminator_has_a_setting() -> None:
    """Those that the configuration knows."""
    assert {"cr", "lf", "crlf", "etx"} == set(TERMINATORS)


def test_noise_is_not_fatal(line: tuple[int, Path]) -> None:
    """Bytes of a wrong speed or a loose cable: whatever they make, the code after a pause is read whole."""
    far, path = line
    reader = opened(path)
    os.write(far, bytes(range(0x80, 0x100)) + b"\x00\xff\xfe")
    assert "" == reader.read()
    for _ in range(3):
        assert "" == reader.read()
    os.write(far, b"0042\r")
    assert "0042" == read(reader)
    os.write(far, b"\xff\xfe\r")
    assert "\ufffd\ufffd" == read(reader)
    reader.close()


def test_a_busy_machine_does_not_tear_a_code(line: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What lay in the system's buffer meanwhile came without a pause, for all we know."""
    far, path = line
    reader = opened(path)
    os.write(far, b"EG1:")
    assert "" == reader.read()
    os.write(far, b"0042\r")
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 5)
    assert "EG1:0042" == reader.read()
    reader.close()


def test_a_line_that_never_falls_silent(line: tuple[int, Path]) -> None:
    """Babble without an end is given up in time for the thread to see that the gate stops."""
    far, path = line
    reader = opened(path)
    stop = threading.Event()

    def babble() -> None:
        os.set_blocking(far, False)
        while not stop.is_set():
            with suppress(BlockingIOError):
                os.write(far, b"x" * 1024)

    babbler = threading.Thread(target=babble)
    babbler.start()
    before = time.monotonic()
    try:
        assert "" == reader.read()
    finally:
        stop.set()
        babbler.join()
    assert 0.4 < time.monotonic() - before < 2
    reader.close()


def test_half_a_code_does_not_outlive_its_line(line: tuple[int, Path]) -> None:
    """Closed and open again at once: what was half read before is gone."""
    far, path = line
    reader = opened(path)
    os.write(far, b"EG1:")
    assert "" == reader.read()
    reader.close()
    reader.open()
    os.write(far, b"0042\r")
    assert "0042" == read(reader)
    reader.close()


def test_what_came_before_opening_is_not_read(line: tuple[int, Path]) -> None:
    """A code scanned while the gate was off."""
    far, path = line
    os.write(far, b"0041\r")
    reader = opened(path)
    os.write(far, b"0042\r")
    assert "0042" == read(reader)
    reader.close()


def test_one_reader_one_program(line: tuple[int, Path]) -> None:
    """Two programs on one line would get half a code each."""
    reader = opened(line[1])
    with pytest.raises(ReaderLost, match="held by another program") as caught:
        opened(line[1])
    said(caught.value)
    reader.close()
    opened(line[1]).close()


@pytest.mark.parametrize("baud", [300, 9600, 115_200, 250_000])
def test_speeds(line: tuple[int, Path], baud: int) -> None:
    """Usual ones and others."""
    far, path = line
    reader = opened(path, baud)
    os.write(far, b"0042\r")
    assert "0042" == read(reader)
    reader.close()


def test_a_speed_that_the_driver_does_not_take(line: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Some drivers keep another speed and say nothing: then nothing but noise would be read."""
    ours = termios.tcgetattr

    def keeps_9600(fd: int) -> list[object]:
        return [*ours(fd)[:4], termios.B9600, termios.B9600, ours(fd)[6]]

    monkeypatch.setattr(termios, "tcgetattr", keeps_9600)
    opened(line[1], 9600).close()
    with pytest.raises(EdgeGateError, match="does not take 19200 baud") as caught:
        opened(line[1], 19_200)
    assert not isinstance(caught.value, ReaderLost)
    said(caught.value)
    monkeypatch.undo()
    opened(line[1]).close()  # it was given back


def test_no_serial_line(tmp_path: Path) -> None:
    """A file, a folder, the null device."""
    (tmp_path / "file").write_bytes(b"0042\r")
    for path in (tmp_path / "file", Path("/dev/null")):
        with pytest.raises(EdgeGateError, match="is no serial line") as caught:
            opened(path)
        assert not isinstance(caught.value, ReaderLost)
        said(caught.value)
    with pytest.raises(EdgeGateError) as caught:
        opened(tmp_path)
    said(caught.value)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    """Lost, not broken: it may be plugged in later."""
    with pytest.raises(ReaderLost, match="is not there") as caught:
        opened(tmp_path / "none")
    said(caught.value)


def test_lost_in_the_middle_of_a_code(tmp_path: Path) -> None:
    """The half code is gone with the device."""
    far, near = os.openpty()
    tty.setraw(near)
    reader = opened(Path(os.ttyname(near)))
    os.close(near)
    os.write(far, b"EG1:")
    assert "" == reader.read()
    os.close(far)
    assert "was unplugged" in said(lost(reader))
    reader.close()
