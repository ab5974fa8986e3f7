"""gpiozero's devices on a Linux GPIO chip, through our own factory. Most of it wants a chip: see `tests.gpio_sim`."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import gpiod
import pytest
from gpiod.line import Direction
from gpiozero import LED, Button, DigitalOutputDevice, InputDevice, PWMOutputDevice, TonalBuzzer
from gpiozero.exc import GPIOPinInUse, GPIOZeroError, PinInvalidPin
from gpiozero.tones import Tone

from edgegate.errors import SignalsLost
from edgegate.signals.gpiod_factory import GpiodFactory, LineLost
from edgegate.signals.pins import chips, factory
from edgegate.signals.tone import SoftTone
from tests.contracts.kit import ROOT, said
from tests.gpio_sim import GpioSim, gpio_sim, wait_for

NOBODY = 65534


@dataclass
class Board:
    """A chip and our factory on it."""

    sim: GpioSim
    pins: GpiodFactory


@pytest.fixture
def board() -> Iterator[Board]:
    sim = gpio_sim()
    pins = GpiodFactory(sim.path)
    yield Board(sim, pins)
    pins.close()


def refused(board: Board, line: int) -> str:
    """What a device is told that cannot have a line; nothing of the device stays behind."""
    try:
        LED(line, pin_factory=board.pins).close()
    except LineLost as error:
        return said(error)
    return ""


@pytest.mark.parametrize(
    ("path", "text"), [("/dev/gpiochip999", "there is no such chip"), ("/dev/null", "no GPIO chip (")]
)
def test_what_is_no_chip_is_told_with_those_there_are(path: str, text: str) -> None:
    """One line: the chip, what is wrong with it, and which could be named instead."""
    with pytest.raises(SignalsLost) as caught:
        factory(f"gpiod:{path}")
    line = said(caught.value)
    assert line.startswith(f"signals.pins: gpiod:{path}: {text}")
    assert line.endswith(", ".join(chips()) or "none on this machine")


def test_pins_of_others_are_not_imported() -> None:
    """Neither lgpio nor gpiod is loaded where pins are mock."""
    code = "import sys; from edgegate.signals.pins import factory; factory('mock'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set() == {"gpiod", "lgpio"} & set(done.stdout.split())


def test_a_software_tone_keeps_its_frequency() -> None:
    """Every second edge is a high one, none comes early, and what was late is not made up for in a hurry; when it
    stops, it is silent at once."""
    edges: list[tuple[float, bool]] = []
    tone = SoftTone(lambda high: edges.append((time.monotonic(), high)), 50.0, 0.5)
    wait_for(lambda: len(edges) > 60)
    tone.stop()
    count = len(edges)
    assert all(first != second for (_, first), (_, second) in pairwise(edges))
    spans = sorted(second - first for (first, _), (second, _) in pairwise(edges))
    assert 0.01 == pytest.approx(spans[len(spans) // 2], rel=0.2)
    assert edges[-1][0] - edges[0][0] > 0.95 * (count - 1) / 100
    time.sleep(0.05)
    assert count == len(edges)


def test_a_software_tone_that_fails_says_why() -> None:
    """Not in its own thread, where nobody listens: in `error`, and it ends."""
    failure = OSError(19, "No such device")

    def write(high: bool) -> None:
        raise failure

    before = threading.active_count()
    tone = SoftTone(write, 400.0, 0.5)
    wait_for(lambda: tone.error is failure)
    tone.stop()
    assert before == threading.active_count()


def test_no_permission_is_told_with_the_group() -> None:
    """As another user: the chip, the group and the rule that let it in, in one line."""
    sim = gpio_sim()
    code = f"from edgegate.signals.pins import factory; factory('gpiod:{sim.path}')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert "SignalsLost: signals.pins: gpiod:" in last
    assert "no permission" in last
    assert "`gpio`" in last
    assert "udev" in last


def test_the_chips_of_this_machine_are_listed() -> None:
    """With label and number of lines."""
    sim = gpio_sim()
    assert [line for line in chips() if line.startswith(f"/dev/gpiochip{sim.number} (") and line.endswith(" lines)")]


def test_a_led(board: Board) -> None:
    """Levels go out and are read back; closed, the line is free for others."""
    led = LED(17, pin_factory=board.pins)
    assert not led.is_lit
    led.on()
    assert led.is_lit
    assert board.sim.level(17)
    led.toggle()
    assert not board.sim.level(17)
    assert [False, True, False] == [value for line, value in board.sim.driven() if line == 17]
    led.close()
    request = gpiod.request_lines(board.sim.path, {17: None}, "another")
    request.release()


@pytest.mark.parametrize("on", [False, True])
def test_an_active_low_output_never_shows_the_wrong_level(board: Board, on: bool) -> None:
    """Not even for the moment between becoming an output and being told its value."""
    board.sim.resistor(17, up=True)
    device = DigitalOutputDevice(17, active_high=False, initial_value=on, pin_factory=board.pins)
    assert {not on} == {value for line, value in board.sim.driven() if line == 17}
    device.close()


def test_a_pin_has_one_user(board: Board) -> None:
    """In this process gpiozero says so; of another process the line says by whom it is held."""
    led = LED(17, pin_factory=board.pins)
    with pytest.raises(GPIOPinInUse):
        LED("GPIO17", pin_factory=board.pins)
    led.close()
    with gpiod.request_lines(board.sim.path, {17: gpiod.LineSettings(direction=Direction.OUTPUT)}, "somebody"):
        assert f"line 17 of {board.sim.path}: in use by 'somebody'" == refused(board, 17)
    LED(17, pin_factory=board.pins).close()


@pytest.mark.parametrize("name", [9999, "GPIO9999", "PQ.05", -1])
def test_a_line_that_is_not_there(board: Board, name: int | str) -> None:
    """The chip's lines are numbered from 0."""
    with pytest.raises(PinInvalidPin) as caught:
        LED(name, pin_factory=board.pins)
    assert f"has lines 0 to {board.pins.count - 1}" in said(caught.value)


@pytest.mark.parametrize(("pull_up", "level"), [(True, True), (False, False)])
def test_an_input_is_pulled(board: Board, pull_up: bool, level: bool) -> None:
    """The chip's own resistor is switched on, and the wire stands at it."""
    device = InputDevice(6, pull_up=pull_up, pin_factory=board.pins)
    assert (level, "up" if pull_up else "down") == (board.sim.level(6), device.pin.pull)
    device.close()
    floating = InputDevice(6, pull_up=None, active_state=True, pin_factory=board.pins)
    assert "floating" == floating.pin.pull
    floating.close()


def test_edges_are_told_in_order_with_the_kernels_time(board: Board) -> None:
    """Of several buttons, by one thread, which ends with the last of them."""
    before = threading.active_count()
    told: list[tuple[int, float]] = []
    buttons = {line: Button(line, pull_up=True, pin_factory=board.pins) for line in (6, 7, 8)}
    for line, button in buttons.items():
        button.when_pressed = lambda line=line: told.append((line, buttons[line]._last_changed))
    start = time.monotonic()
    wanted = [6, 8, 7, 7, 6, 8]
    for line in wanted:
        board.sim.press(line)
    wait_for(lambda: len(told) >= len(wanted))
    assert wanted == [line for line, _ in told]
    times = [at for _, at in told]
    assert sorted(times) == times
    assert start <= times[0] <= times[-1] <= time.monotonic()
    assert 1 == len([thread for thread in threading.enumerate() if thread.name == "edges"])
    for button in buttons.values():
        button.close()
    wait_for(lambda: threading.active_count() == before)


def test_bounces_are_not_told(board: Board) -> None:
    """A contact that chatters for less than the bounce time is one press."""
    told: list[float] = []
    button = Button(6, pull_up=True, bounce_time=0.3, pin_factory=board.pins)
    button.when_pressed = lambda: told.append(time.monotonic())
    assert 0.3 == button.pin.bounce
    for up in (False, True) * 5:
        board.sim.resistor(6, up=up)
    board.sim.resistor(6, up=False)
    wait_for(lambda: told)
    time.sleep(0.6)
    assert 1 == len(told)
    button.close()


def test_a_listener_that_fails_does_not_make_buttons_deaf(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged by name; the next press is told."""
    told: list[int] = []

    def listen() -> None:
        told.append(1)
        if len(told) == 1:
            raise ZeroDivisionError

    button = Button(6, pull_up=True, pin_factory=board.pins)
    button.when_pressed = listen
    for _ in range(2):
        board.sim.press(6)
    wait_for(lambda: len(told) == 2)
    assert "ZeroDivisionError" in caplog.text
    button.close()


def test_a_line_may_change_its_direction(board: Board) -> None:
    """Output to input and back, at the level that is on the wire."""
    pin = board.pins.pin(17)
    pin.output_with_state(1)
    pin.function = "input"
    assert "input" == pin.function
    with pytest.raises(GPIOZeroError):
        pin.state = 1
    found = pin.state
    pin.function = "output"
    assert ("output", found) == (pin.function, pin.state)
    pin.close()


def test_pwm_by_software(board: Board) -> None:
    """gpiozero's PWM device: steady at both ends, a square wave between, silent when closed."""
    device = PWMOutputDevice(23, frequency=50, pin_factory=board.pins)
    assert not board.sim.level(23)
    device.on()
    assert board.sim.level(23)
    board.sim.forget()
    device.value = 0.25
    wait_for(lambda: len(board.sim.driven()) > 40)
    device.off()
    assert not board.sim.level(23)
    edges = [(at, value) for at, line, value in board.sim.timed() if line == 23][1:]
    spans = [(second - first, value) for (first, value), (second, _) in pairwise(edges)]
    high, low = (sorted(span for span, value in spans if value is wanted) for wanted in (True, False))
    assert 0 < high[len(high) // 2] < low[len(low) // 2]
    device.close()
    board.sim.forget()
    time.sleep(0.2)
    assert [] == board.sim.driven()


def test_a_tonal_buzzer(board: Board) -> None:
    """gpiozero's own plays on it; how true the tone is, its edges say."""
    buzzer = TonalBuzzer(23, octaves=3, pin_factory=board.pins)
    buzzer.play(Tone.from_frequency(110.0))
    wait_for(lambda: len(board.sim.driven()) > 120)
    buzzer.stop()
    rises = [at for at, line, value in board.sim.timed() if line == 23 and value][1:]
    heard = (len(rises) - 1) / (rises[-1] - rises[0])
    print(f"110 Hz asked, {heard:.1f} Hz heard")
    assert 20 < heard < 121  # the virtual machine may be too slow for the tone, never too fast
    buzzer.close()


def test_a_chip_that_is_pulled_out(board: Board) -> None:
    """Every use says so, in one line with line and chip; closing does not; back again, it serves as before."""
    led, button = LED(17, pin_factory=board.pins), Button(6, pin_factory=board.pins)
    buzzer = PWMOutputDevice(23, frequency=50, initial_value=0.5, pin_factory=board.pins)
    board.sim.plug(False)
    for use in (led.on, lambda: led.is_lit, lambda: button.is_pressed, buzzer.off):
        with pytest.raises(LineLost) as caught:
            use()
        assert f" of {board.sim.path}: " in said(caught.value)
    for device in (led, button, buzzer):
        device.close()
    assert board.sim.path in refused(board, 17)
    board.sim.plug(True)
    again = LED(17, initial_value=True, pin_factory=board.pins)
    assert board.sim.level(17)
    again.close()


def test_a_link_may_name_the_chip(board: Board, tmp_path: Path) -> None:
    """A udev rule can give a chip a name that does not change with the order of drivers."""
    link = tmp_path / "gate-gpio"
    link.symlink_to(board.sim.path)
    pins = factory(f"gpiod:{link}")
    led = LED(17, pin_factory=pins)
    led.on()
    assert board.sim.level(17)
    led.close()
    pins.close()


def test_nothing_is_left_open(board: Board) -> None:
    """After many devices no file is held but those that were before."""
    count = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        led, button = LED(17, pin_factory=board.pins), Button(6, pin_factory=board.pins)
        button.when_pressed = led.on
        led.close()
        button.close()
    wait_for(lambda: len(list(Path("/proc/self/fd").iterdir())) <= count)
