"""Port `Reader`: lines, keyboards, serial lines and Wiegand pins keep the same promises.

A keyboard is a pipe of real `struct input_event`s here, since finding and grabbing one need the kernel's own. These are
tried where EDGEGATE_TEST_HID names a device (vendor:product or path), EDGEGATE_TEST_HID_TYPE a command that types its
input on it, and EDGEGATE_TEST_HID_PLUG one that pulls it (with `unplug` after it) and puts it back (`plug`): see
`tests.scanner`. EDGEGATE_TEST_HID_LAYOUT says how it types (us). Wiegand pins are gpiozero's mock ones, and those of a
chip of the kernel's gpio-sim that EDGEGATE_TEST_GPIOCHIP names.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from edgegate.badges.hid import HidKeyboard
from edgegate.badges.lines import LineReader
from edgegate.badges.serial_reader import TERMINATORS, SerialLine
from edgegate.badges.typed import MAX_BYTES, PAUSE_S, WAIT_S
from edgegate.badges.wiegand import GAP_S, WiegandLines
from edgegate.errors import EndOfCodes, ReaderLost
from edgegate.ports import Reader
from edgegate.signals.pins import factory
from tests.contracts.kit import ROOT, credential, keys, said
from tests.scanner import events, strokes
from tests.wiegand_card import D0, D1, MockWires, SimWires, Wires, frame, pulse

BADGE = keys().sign(credential())
ASCII = "".join(map(chr, range(0x21, 0x7F)))
BASE45 = "EG1:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
TEXTS = (BADGE, "0042", ASCII, BASE45, "a b")
CARDS = {26: ("001-00042", "255-65535", "000-00000"), 34: ("DEADBEEF", "00000001", "04A1B2C3")}
AT_ONCE = 17
"""Keys whose events fit into the 4096 bytes that a pipe takes or leaves: at most ten each, of 24 bytes."""
PATIENCE_S = 30.0
EMULATED_GAP_S = 0.5
"""An emulated machine may stand still for longer than any card reader."""
SILENCE_S = 2.0
"""A reader that has nothing says so within this."""


class Bench:
    """A reader that is open, and hands to present codes to it. `codes` are texts that it can carry."""

    reader: Reader
    codes: tuple[str, ...] = TEXTS

    def send(self, text: str) -> None:
        """A whole code."""
        raise NotImplementedError

    def begin(self, text: str) -> None:
        """A code without its end."""
        raise NotImplementedError

    def settle(self) -> None:
        """Until all that was sent is on its way."""

    def unplug(self) -> None:
        raise NotImplementedError

    def plug(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.reader.close()


class Lines(Bench):
    """A pipe for standard input."""

    def __init__(self, folder: Path) -> None:
        ours, theirs = os.pipe()
        self.stream, self.typist = os.fdopen(ours, "rb"), os.fdopen(theirs, "wb", buffering=0)
        self.reader = LineReader(self.stream)

    def send(self, text: str) -> None:
        self.typist.write(f"{text}\n".encode())

    def unplug(self) -> None:
        self.typist.close()

    def close(self) -> None:
        super().close()
        self.typist.close()
        self.stream.close()


class Scanner(Bench):
    """The far end of a serial line: a pseudo-terminal."""

    def __init__(self, folder: Path, terminator: str) -> None:
        self.path = folder / "scanner"
        self.end = TERMINATORS[terminator]
        self.plug()
        self.reader = SerialLine(self.path, 115_200, terminator)

    def send(self, text: str) -> None:
        self.begin(text)
        os.write(self.far, self.end)

    def begin(self, text: str) -> None:
        data = text.encode()
        while data:  # a pseudo-terminal holds 4096 bytes
            data = data[os.write(self.far, data[:2048]) :]

    def unplug(self) -> None:
        os.close(self.far)
        self.path.unlink()

    def plug(self) -> None:
        self.far, near = os.openpty()
        tty.setraw(near)
        self.path.symlink_to(os.ttyname(near))
        os.close(near)

    def close(self) -> None:
        super().close()
        if self.path.is_symlink():
            self.unplug()


class PipedKeyboard(HidKeyboard):
    """A keyboard whose events come through a pipe: neither found by its id nor grabbed."""

    def __init__(self, path: Path, layout: str) -> None:
        super().__init__(str(path), layout)
        self._path = path

    def _find(self) -> Path:
        return self._path

    def _take(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


class Events(Bench):
    """The kernel's side of a keyboard."""

    def __init__(self, folder: Path, layout: str) -> None:
        self.path, self.layout = folder / "event", layout
        self.plug()
        self.reader = PipedKeyboard(self.path, layout)

    def send(self, text: str) -> None:
        self.press(strokes(text, self.layout))

    def begin(self, text: str) -> None:
        self.press(strokes(text, self.layout, end=0))

    def press(self, keys: list[tuple[int, int]]) -> None:
        for start in range(0, len(keys), AT_ONCE):
            os.write(self.kernel, events(keys[start : start + AT_ONCE], time.monotonic()))

    def unplug(self) -> None:
        os.close(self.kernel)
        self.path.unlink()

    def plug(self) -> None:
        os.mkfifo(self.path)
        self.kernel = os.open(self.path, os.O_RDWR)
        fcntl.fcntl(self.kernel, fcntl.F_SETPIPE_SZ, 1 << 20)

    def close(self) -> None:
        super().close()
        if self.path.exists():
            self.unplug()


class Device(Bench):
    """The device that EDGEGATE_TEST_HID names. It types while we read: the kernel holds some ten characters."""

    def __init__(self, folder: Path) -> None:
        device = os.environ.get("EDGEGATE_TEST_HID")
        if device is None:
            pytest.skip("no keyboard to test: name a device with EDGEGATE_TEST_HID")
        self.reader = HidKeyboard(device, os.environ.get("EDGEGATE_TEST_HID_LAYOUT", "us"))
        self.type, self.plugs = os.environ["EDGEGATE_TEST_HID_TYPE"], os.environ["EDGEGATE_TEST_HID_PLUG"]
        self.typist, self.typing = ThreadPoolExecutor(1), list[Future[None]]()

    def send(self, text: str) -> None:
        self.typing.append(self.typist.submit(self.run, self.type, text))

    def settle(self) -> None:
        while self.typing:
            self.typing.pop().result()

    def unplug(self) -> None:
        self.run(f"{self.plugs} unplug")

    def plug(self) -> None:
        self.run(f"{self.plugs} plug")

    def run(self, command: str, text: str = "") -> None:
        subprocess.run(shlex.split(command), input=text.encode(), cwd=ROOT, check=True, timeout=PATIENCE_S)

    def close(self) -> None:
        super().close()
        self.settle()
        self.typist.shutdown()


class Card(Bench):
    """A card reader on two pins."""

    def __init__(self, wires: Wires, bits: int, gap_s: float = GAP_S) -> None:
        self.wires, self.codes, self.gap_s = wires, CARDS[bits], gap_s
        self.reader = WiegandLines(wires.factory, D0, D1, bits, gap_s=gap_s)

    def send(self, text: str) -> None:
        pulse(self.wires, frame(text))
        self.wires.wait(2 * self.gap_s)

    def begin(self, text: str) -> None:
        pulse(self.wires, frame(text)[:-3])

    def close(self) -> None:
        super().close()
        self.wires.factory.close()


def sim_card(folder: Path) -> Card:
    chip = os.environ.get("EDGEGATE_TEST_GPIOCHIP")
    if chip is None:
        pytest.skip("no chip to test: name one of gpio-sim with EDGEGATE_TEST_GPIOCHIP")
    return Card(SimWires(factory(f"gpiod:{chip}"), chip), 26, EMULATED_GAP_S)


BENCHES: dict[str, Callable[[Path], Bench]] = {
    "stdin": Lines,
    "serial cr": partial(Scanner, terminator="cr"),
    "serial etx": partial(Scanner, terminator="etx"),
    "hid us": partial(Events, layout="us"),
    "hid fr": partial(Events, layout="fr"),
    "hid device": Device,
    "wiegand 26": lambda folder: Card(MockWires(), 26),
    "wiegand 34": lambda folder: Card(MockWires(), 34),
    "wiegand chip": sim_card,
}
TYPED = [name for name in BENCHES if "wiegand" not in name]
ENDLESS = [name for name in BENCHES if name != "stdin"]
PLUGGED = [name for name in TYPED if name != "stdin"]
IN_PIECES = [name for name in PLUGGED if name != "hid device"]
BROKEN_OFF = [name for name in ENDLESS if name != "hid device"]
FORGETFUL = [name for name in ENDLESS if name not in ("hid us", "hid fr")]
"""All but those that a pipe, which remembers, stands in for."""


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each kind of reader, open."""
    made = BENCHES[request.param](tmp_path)
    made.reader.open()
    yield made
    made.close()


def read(reader: Reader) -> str:
    """The next code, however slow the machine."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if text := reader.read():
            return text
    raise AssertionError("nothing was read")


def lost(reader: Reader) -> ReaderLost:
    """The error by which a reader says that it is gone."""
    end = time.monotonic() + PATIENCE_S
    with pytest.raises(ReaderLost) as caught:
        while time.monotonic() < end:
            assert "" == reader.read()
    return caught.value


def test_a_code_is_read_as_it_was_sent(bench: Bench) -> None:
    """A signed badge, every character that a badge can hold, capitals, digits and blanks."""
    for code in bench.codes:
        bench.send(code)
        assert code == read(bench.reader)


def test_each_reading_is_an_act_of_its_own(bench: Bench) -> None:
    """The same code twice is read twice, and codes keep their order."""
    first, second = bench.codes[:2]
    sent = [first, second, second, first]
    for code in sent:
        bench.send(code)
    assert sent == [read(bench.reader) for _ in sent]


@pytest.mark.parametrize("bench", ENDLESS, indirect=True)
def test_a_reader_that_has_nothing_says_so_soon(bench: Bench) -> None:
    """The thread that reads must see in time that the gate stops."""
    before = time.monotonic()
    assert "" == bench.reader.read()
    assert time.monotonic() - before < SILENCE_S


@pytest.mark.parametrize("bench", ENDLESS, indirect=True)
def test_a_code_that_comes_while_waiting_is_not_late(bench: Bench) -> None:
    """The student does not wait for the end of the half second."""
    sender = threading.Timer(0.1, bench.send, [bench.codes[0]])
    sender.start()
    assert bench.codes[0] == read(bench.reader)
    sender.join()


@pytest.mark.parametrize("bench", BROKEN_OFF, indirect=True)
def test_half_a_code_does_not_join_the_next(bench: Bench) -> None:
    """A card pulled away, a cable touched: after a pause the next code is read by itself."""
    first, second = bench.codes[:2]
    bench.begin(first)
    end = time.monotonic() + PAUSE_S + WAIT_S
    while time.monotonic() < end:
        assert "" == bench.reader.read()
    bench.send(second)
    assert second == read(bench.reader)


@pytest.mark.parametrize("bench", IN_PIECES, indirect=True)
def test_a_code_may_come_in_pieces(bench: Bench) -> None:
    """Slow scanners are read too; nothing is given away before the end."""
    bench.begin("EG1:")
    assert "" == bench.reader.read()
    bench.begin("00")
    assert "" == bench.reader.read()
    bench.send("42")
    assert "EG1:0042" == read(bench.reader)


@pytest.mark.parametrize("bench", TYPED, indirect=True)
def test_blank_codes_are_nothing(bench: Bench) -> None:
    """An Enter too many is not a badge."""
    for text in ("", "  ", "0042"):
        bench.send(text)
    assert "0042" == read(bench.reader)


@pytest.mark.parametrize("bench", ["stdin", *IN_PIECES], indirect=True)
def test_a_flood_stays_bounded(bench: Bench) -> None:
    """What exceeds 8 KiB of one code is dropped, and the code after it is read."""

    def flood() -> None:
        for text in ("A" * (2 * MAX_BYTES + 1), "0042"):
            bench.send(text)

    sender = threading.Thread(target=flood)
    sender.start()
    assert "A" * MAX_BYTES == read(bench.reader)
    assert "0042" == read(bench.reader)
    sender.join()


@pytest.mark.parametrize("bench", FORGETFUL, indirect=True)
def test_what_comes_while_it_is_closed_is_lost(bench: Bench) -> None:
    """A badge shown an hour ago does not open the gate; open again, the reader reads."""
    first, second = bench.codes[:2]
    bench.reader.close()
    bench.reader.close()
    bench.send(first)
    bench.settle()
    bench.reader.open()
    bench.send(second)
    assert second == read(bench.reader)


@pytest.mark.parametrize("bench", ENDLESS, indirect=True)
def test_a_closed_reader_reads_nothing(bench: Bench) -> None:
    """Nor does it wait for what cannot come."""
    bench.reader.close()
    with pytest.raises(ReaderLost):
        bench.reader.read()


@pytest.mark.parametrize("bench", PLUGGED, indirect=True)
def test_unplugged_and_plugged_in_again(bench: Bench) -> None:
    """Lost in one line that says what to do, not there while it is away, and back as if nothing had been."""
    code = bench.codes[0]
    for _ in range(2):
        bench.unplug()
        error = lost(bench.reader)
        assert bench.reader.name in said(error)
        assert error.next
        bench.reader.close()
        with pytest.raises(ReaderLost) as caught:
            bench.reader.open()
        assert bench.reader.name in said(caught.value)
        assert caught.value.next
        bench.plug()
        reopen(bench.reader)
        bench.send(code)
        assert code == read(bench.reader)


def reopen(reader: Reader) -> None:
    """As the gate does: again and again until it is there."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return reader.open()
        except ReaderLost:
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.parametrize("bench", ["stdin"], indirect=True)
def test_a_stream_ends(bench: Bench) -> None:
    """What was typed is read first; then the reader says that no more will come, as often as it is asked."""
    bench.send("0042")
    bench.unplug()
    assert "0042" == bench.reader.read()
    for _ in range(2):
        with pytest.raises(EndOfCodes):
            bench.reader.read()


def test_no_code_in_log_or_repr(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The text of a badge is its key."""
    caplog.set_level(logging.DEBUG)
    bench.send(bench.codes[0])
    assert bench.codes[0] == read(bench.reader)
    assert bench.codes[0] not in caplog.text + repr(bench.reader) + bench.reader.name
    assert bench.reader.name.isprintable()
