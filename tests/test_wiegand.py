"""Wiegand readers: numbers, parity, and bits that come late, out of order, or not at all."""

from __future__ import annotations

import errno
import logging
import random
import threading
import time
from collections.abc import Iterator

import pytest
from gpiozero import LED
from gpiozero.pins.mock import MockFactory, MockPin

from edgegate.badges import wiegand
from edgegate.badges.wiegand import GAP_S, WiegandLines, decode
from edgegate.errors import EdgeGateError, ReaderLost
from tests.contracts.kit import said
from tests.contracts.test_reader import read
from tests.wiegand_card import BIT_S, D0, D1, MockWires, frame, pulse

CARD = "123-45678"


@pytest.fixture
def wires() -> Iterator[MockWires]:
    """Two lines on mock pins."""
    made = MockWires()
    yield made
    made.factory.close()


@pytest.fixture
def reader(wires: MockWires) -> Iterator[WiegandLines]:
    """A 26-bit reader on them, open."""
    made = WiegandLines(wires.factory, D0, D1, 26)
    made.open()
    yield made
    made.close()


def test_a_frame_from_a_data_sheet() -> None:
    """Facility 1, card 1, as manufacturers print it: even parity, 8 bits, 16 bits, odd parity."""
    printed = "1 00000001 0000000000000001 0".replace(" ", "")
    assert "001-00001" == decode([int(bit) for bit in printed], 26)
    assert [int(bit) for bit in printed] == frame("001-00001")


def test_every_number_has_one_text() -> None:
    """Fixed width, zeros kept, nothing lost: another card is another text."""
    dice = random.Random(26)
    cards = [f"{dice.randrange(256):03d}-{dice.randrange(65536):05d}" for _ in range(500)]
    cards += [f"{dice.randrange(1 << 32):08X}" for _ in range(500)]
    for card in cards:
        assert card == decode(frame(card), len(frame(card)))


@pytest.mark.parametrize("card", [CARD, "DEADBEEF"])
def test_parity_and_length_are_checked(card: str) -> None:
    """One bit wrong, missing or too many: no number."""
    bits = frame(card)
    for place in range(len(bits)):
        assert "" == decode([bit ^ (at == place) for at, bit in enumerate(bits)], len(bits))
        assert "" == decode(bits[:place] + bits[place + 1 :], len(bits))
        assert "" == decode([*bits[:place], 0, *bits[place:]], len(bits))
    assert "" == decode([], len(bits))


def test_a_frame_of_the_other_length_is_dropped(wires: MockWires, reader: WiegandLines) -> None:
    """A 34-bit reader where 26 are configured never gives a number that happens to fit."""
    pulse(wires, frame("04A1B2C3"))
    assert "" == reader.read()
    assert 1 == reader.broken


def test_slow_and_fast_readers(wires: MockWires, reader: WiegandLines) -> None:
    """From 0.2 to 20 ms between bits, as the standard allows."""
    for every_s in (200e-6, 1e-3, 3e-3, 20e-3):
        pulse(wires, frame(CARD), every_s)
        wires.wait(2 * GAP_S)
        assert CARD == read(reader)
    assert 0 == reader.broken


def test_bits_that_reach_us_late(wires: MockWires) -> None:
    """The machine was busy, twice in one frame: the edges' own times say that they belong together."""
    reader = WiegandLines(wires.factory, D0, D1, 26, gap_s=0.1)
    reader.open()
    bits = frame(CARD)

    def halting() -> None:
        for part in (bits[:10], bits[10:20], bits[20:]):
            pulse(wires, part)
            time.sleep(0.6)

    sender = threading.Thread(target=halting)
    sender.start()
    assert CARD == read(reader)
    sender.join()
    assert 0 == reader.broken
    reader.close()


def test_bits_that_reach_us_out_of_order(reader: WiegandLines) -> None:
    """D0 and D1 may be served by two threads: their times put them in order."""
    edges = [(place * BIT_S, bit) for place, bit in enumerate(frame(CARD))]
    for at, bit in [edge for edge in edges if edge[1]] + [edge for edge in edges if not edge[1]]:
        reader._fell(at, bit)
    assert CARD == read(reader)


def test_a_broken_frame_stands_by_itself(wires: MockWires, reader: WiegandLines) -> None:
    """A spark on the line, then a card: the silence between them, not ours, tells them apart."""
    pulse(wires, [1, 0, 1])
    wires.wait(2 * GAP_S)
    pulse(wires, frame(CARD))
    assert CARD == read(reader)
    assert 1 == reader.broken


def test_broken_frames_are_told_once_a_minute(
    wires: MockWires, reader: WiegandLines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad cable does not fill the log; the count goes on, and no bit of a card is in it."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for second in (0, 10, 20, 61):
        now[0] = second
        reader._frame = [(place * BIT_S, bit) for place, bit in enumerate(frame(CARD)[:20])]
        assert "" == reader._end()
    assert 4 == reader.broken
    assert [logging.WARNING] * 2 == [record.levelno for record in caplog.records]
    assert ["1 broken", "3 broken"] == [record.message.split(": ")[1][:8] for record in caplog.records]


def test_a_line_that_never_falls_silent(
    wires: MockWires, reader: WiegandLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood is bounded, in the queue and in a frame, and the next card is read."""
    lengths = []

    def counted(bits: list[int], length: int) -> str:
        lengths.append(len(bits))
        return decode(bits, length)

    monkeypatch.setattr(wiegand, "decode", counted)
    pulse(wires, [0, 1] * 2000)
    wires.wait(2 * GAP_S)
    assert "" == reader.read()
    pulse(wires, frame(CARD))
    assert CARD == read(reader)
    assert [64, 26] == lengths


def test_real_time() -> None:
    """Pulses by the machine's own clock, from another thread: never a wrong number, and in the end the right one."""
    with MockFactory() as factory:
        reader = WiegandLines(factory, D0, D1, 26, gap_s=0.2)
        reader.open()
        stop = threading.Event()

        def card() -> None:
            while not stop.is_set():
                for bit in frame(CARD):
                    line = factory.pin(D1 if bit else D0)
                    assert isinstance(line, MockPin)
                    line.drive_low()
                    time.sleep(50e-6)
                    line.drive_high()
                    time.sleep(BIT_S)
                stop.wait(0.5)

        presenter = threading.Thread(target=card)
        presenter.start()
        try:
            assert CARD == read(reader)
        finally:
            stop.set()
            presenter.join()
            reader.close()


def test_pins_are_given_back(wires: MockWires, reader: WiegandLines) -> None:
    """Closed, they serve others; while it is open they do not."""
    other = WiegandLines(wires.factory, 16, D0, 26)
    with pytest.raises(ReaderLost, match="cannot be used") as caught:
        other.open()
    said(caught.value)
    LED(16, pin_factory=wires.factory).close()  # what the other had taken is free again
    reader.close()
    for pin in (D0, D1):
        LED(pin, pin_factory=wires.factory).close()
    reader.open()
    pulse(wires, frame(CARD))
    assert CARD == read(reader)


@pytest.mark.parametrize("line", ["D0", "D1"])
def test_a_line_that_stays_low(wires: MockWires, reader: WiegandLines, line: str) -> None:
    """A reader without power, or a cable cut short: lost, and not back before the line is high again."""
    pin = {"D0": D0, "D1": D1}[line]
    wires.hold(pin)
    with pytest.raises(ReaderLost, match=f"{line} stays low") as caught:
        while True:
            assert "" == reader.read()
    said(caught.value)
    reader.close()
    with pytest.raises(ReaderLost, match=f"{line} stays low"):
        reader.open()
    wires.release(pin)
    reader.open()
    pulse(wires, frame(CARD))
    assert CARD == read(reader)


def test_pins_that_no_longer_answer(reader: WiegandLines, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chip was on a cable too."""

    def gone(pin: MockPin) -> bool:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(MockPin, "_get_state", gone)
    with pytest.raises(ReaderLost, match="cannot be used") as caught:
        while True:
            assert "" == reader.read()
    said(caught.value)


def test_half_a_frame_does_not_outlive_its_lines(wires: MockWires) -> None:
    """Closed and open again at once: bits that came before, read or not, are gone."""
    reader = WiegandLines(wires.factory, D0, D1, 26, gap_s=0.2)
    for look in (False, True):
        reader.open()
        pulse(wires, frame(CARD)[:10])
        assert not look or "" == reader.read()
        reader.close()
        reader.open()
        pulse(wires, frame(CARD))
        assert CARD == read(reader)
    assert 0 == reader.broken
    reader.close()


def test_no_such_pin(wires: MockWires) -> None:
    """A mistake in the configuration, in one line."""
    with pytest.raises(EdgeGateError, match="no such pin") as caught:
        WiegandLines(wires.factory, 98, 99).open()
    assert not isinstance(caught.value, ReaderLost)
    said(caught.value)


def test_two_readers_on_one_gate(wires: MockWires, reader: WiegandLines) -> None:
    """Each on its own pins, at the same moment."""
    with_other = WiegandLines(wires.factory, 5, 6, 34)
    with_other.open()
    first, second = frame(CARD), frame("04A1B2C3")
    for place in range(34):
        for bits, pins in ((first, (D0, D1)), (second, (5, 6))):
            if place < len(bits):
                wires.pull(pins[bits[place]], False)
                wires.wait(50e-6)
                wires.pull(pins[bits[place]], True)
        wires.wait(BIT_S)
    assert CARD == read(reader)
    assert "04A1B2C3" == read(with_other)
    with_other.close()
