"""Port `Signals`: lights, buzzer, door relay and buttons, on mock pins and on a real chip (see `tests.gpio_sim`)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import partial

import pytest
from gpiozero import Factory
from gpiozero.pins.mock import MockFactory

from edgegate.model import Button
from edgegate.signals.gpio import GpioSignals, safe_outputs
from edgegate.signals.patterns import PATTERNS, TIMES, Rhythm
from edgegate.signals.pins import factory
from edgegate.signals.wiring import Line, Wiring
from edgegate.state import Lights
from edgegate.testing import pin, press
from tests.contracts.chips import CHIPS, PINS, PLAIN, RELAYS, TONE_HZ, WIRINGS, Bench, Chip, MockChip, has_changed
from tests.gpio_sim import GpioSim, gpio_sim, wait_for


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> Iterator[Chip]:
    """Each kind of pins."""
    made = CHIPS[request.param]()
    yield made
    made.close()


@pytest.fixture(params=WIRINGS)
def bench(request: pytest.FixtureRequest, chip: Chip) -> Iterator[Bench]:
    """Each kind of pins in each wiring, just started."""
    made = Bench(chip, WIRINGS[request.param])
    made.open()
    yield made
    made.signals.close()


@pytest.fixture
def mock() -> Iterator[Bench]:
    """The relay board on mock pins, which can break."""
    made = Bench(MockChip(), RELAYS)
    made.open()
    yield made
    made.chip.close()
    made.signals.close()


def beats(bench: Bench, rhythm: Rhythm) -> tuple[float, float, int | None]:
    return TIMES.get(rhythm, (bench.wiring.relay_s, 0.0, 1))


def has_pressed(bench: Bench, times: int) -> bool:
    return len(bench.pressed) >= times


def test_a_real_chip_takes_part() -> None:
    """Skipped, with the reason, where there is none: the tests below then run on mock pins alone."""
    gpio_sim()
    assert {"mock", "gpiod", "lgpio"} == set(CHIPS)


def test_outputs_start_at_their_fault_values(bench: Bench) -> None:
    """Before the first pattern amber says: see the supervisor; no other was on for a moment, nor amber off again."""
    assert bench.faults == bench.levels()
    assert [("amber", True)] == bench.history()


@pytest.mark.parametrize("lights", Lights)
def test_a_pattern_drives_every_output(bench: Bench, lights: Lights) -> None:
    """On is on, off is off, a rhythm goes on and off again; and `levels` says so."""
    wanted = {name: getattr(PATTERNS[lights], name) for name in bench.wiring.outputs}
    bench.signals.show(Lights.READY)
    assert dict.fromkeys(bench.wiring.outputs, False) == bench.levels()
    bench.forget()
    bench.signals.show(lights)
    assert {name: rhythm.value for name, rhythm in wanted.items()} == bench.signals.levels()
    for name, rhythm in wanted.items():
        if rhythm is Rhythm.ON:
            assert [True] == bench.changes(name)
        elif rhythm is Rhythm.OFF:
            assert [] == bench.changes(name)
        else:
            on_s, _, times = beats(bench, rhythm)
            turns = 1 if times == 1 else 2 if on_s < 1 else 1
            expected = [True, False] * turns
            wait_for(partial(has_changed, bench, name, len(expected)))
            assert expected == bench.changes(name)[: len(expected)]


def test_a_chirp_and_a_pulse_come_once(bench: Bench) -> None:
    """Granted is heard once, not for two seconds, and opens the door once."""
    bench.signals.show(Lights.READY)
    bench.forget()
    bench.signals.show(Lights.GRANTED)
    once = [name for name in ("buzzer", "relay") if name in bench.wiring.outputs]
    for name in once:
        wait_for(partial(has_changed, bench, name, 2))
    time.sleep(0.35)  # two pulses' time
    assert [[True, False]] * len(once) == [bench.changes(name) for name in once]
    assert bench.level("green")


@pytest.mark.parametrize("lights", [lights for lights in Lights if lights is not Lights.GRANTED])
def test_only_granted_opens_the_door(mock: Bench, lights: Lights) -> None:
    """Whatever else is shown, even in the middle of the pulse, the relay is off at once and stays off."""
    mock.signals.show(Lights.GRANTED)
    assert mock.level("relay")
    mock.signals.show(lights)
    assert not mock.level("relay")
    mock.forget()
    time.sleep(0.2)  # longer than the pulse
    assert [] == mock.changes("relay")


def test_a_silent_alarm_goes_on_blinking(bench: Bench) -> None:
    """When the buzzer has sounded long enough the red light stays, without the buzzer."""
    bench.signals.show(Lights.ALARM)
    wait_for(lambda: True in bench.changes("buzzer") and True in bench.changes("red"))
    bench.signals.show(Lights.ALARM_SILENT)
    assert not bench.level("buzzer")
    bench.forget()
    wait_for(lambda: bench.changes("red").count(True) >= 2)
    assert [] == bench.changes("buzzer")


def test_an_alarm_keeps_time(mock: Bench) -> None:
    """Red and buzzer change together, beat by beat."""
    mock.signals.show(Lights.READY)
    mock.forget()
    mock.signals.show(Lights.ALARM)
    wait_for(lambda: len(mock.history()) >= 10)
    values = [on for _, on in mock.history()[:10]]
    assert [True, True, False, False, True, True, False, False, True, True] == values


def test_green_and_red_are_never_lit_together(bench: Bench) -> None:
    """Through every change from one pattern to another, at no moment and in no rhythm."""
    lit = bench.levels()
    bench.forget()
    for before, after in itertools.permutations(Lights, 2):
        for lights in (before, after):
            bench.signals.show(lights)
            for name in ("red", "green"):
                if getattr(PATTERNS[lights], name) in TIMES:
                    wait_for(partial(bench.level, name))
    together = 0
    for name, on in bench.history():
        lit[name] = on
        together += lit["green"] and lit["red"]
    assert 0 == together
    assert {True, False} == set(bench.changes("green")) == set(bench.changes("red"))


def test_what_a_pattern_ends_stays_ended(bench: Bench) -> None:
    """A rhythm left behind does not come back and light an output of the next pattern."""
    bench.signals.show(Lights.ALARM)
    wait_for(lambda: True in bench.changes("red"))
    bench.signals.show(Lights.GRANTED)
    bench.forget()
    time.sleep(0.4)  # a quick rhythm's time and a half
    assert [] == bench.changes("red")


def test_a_press_is_one_call(bench: Bench) -> None:
    """Each press of a button is told once, in order, and releasing it is not told."""
    wanted = [Button.ACKNOWLEDGE, Button.DIARY, Button.DIARY, Button.ACKNOWLEDGE]
    for count, button in enumerate(wanted, start=1):
        bench.press(button)
        wait_for(partial(has_pressed, bench, count))
    assert wanted == bench.pressed


def test_showing_presses_no_button(bench: Bench) -> None:
    """Outputs and buttons do not hear each other."""
    for lights in Lights:
        bench.signals.show(lights)
    assert [] == bench.pressed


@pytest.mark.parametrize("lights", Lights)
def test_safe_is_the_fault_values_without_rhythm(bench: Bench, lights: Lights) -> None:
    """From whatever pattern, `safe` leaves amber alone, and no rhythm goes on."""
    bench.signals.show(lights)
    bench.signals.safe()
    assert bench.faults == bench.levels()
    assert {name: "on" if value else "off" for name, value in bench.faults.items()} == bench.signals.levels()
    bench.forget()
    time.sleep(0.2)  # longer than the quick rhythm, the chirp and the pulse
    assert [] == bench.history()


def test_a_pattern_may_follow_safe(bench: Bench) -> None:
    """`safe` is no end: when the fault is over the gate shows patterns again."""
    bench.signals.safe()
    bench.signals.show(Lights.GRANTED)
    assert bench.level("green")
    assert not bench.level("amber")


@pytest.mark.parametrize("lights", [Lights.GRANTED, Lights.ALARM, Lights.FAULT, Lights.LOCKDOWN])
def test_closing_leaves_the_fault_values_and_may_come_twice(bench: Bench, lights: Lights) -> None:
    """The last levels driven are those of a gate without a daemon. Where the chip forgets them with the process (as
    this simulated one does), resistors say the same."""
    bench.signals.show(lights)
    if isinstance(bench.chip, GpioSim):
        bench.chip.resistor(PINS["amber"], up="amber" not in bench.wiring.active_low)
    for _ in range(2):
        bench.signals.close()
        assert bench.faults == bench.levels()
    last = bench.levels() | dict(bench.history())
    assert bench.faults == last


def test_pins_are_given_back(bench: Bench) -> None:
    """After `close` another may use the same pins, buttons too."""
    bench.signals.close()
    bench.signals = GpioSignals(bench.chip.factory(), bench.wiring, bench.pressed.append)
    bench.signals.show(Lights.GRANTED)
    assert bench.level("green")
    bench.press(Button.DIARY)
    wait_for(lambda: bench.pressed)
    assert [Button.DIARY] == bench.pressed


def test_a_check_of_what_is_well_changes_nothing(bench: Bench) -> None:
    """`check` is silent through every pattern, and no output moves for it."""
    for lights in Lights:
        bench.signals.show(lights)
        steady = [name for name, rhythm in bench.signals.levels().items() if rhythm in ("on", "off")]
        bench.forget()
        for _ in range(3):
            bench.signals.check()
        assert [] == [name for name, _ in bench.history() if name in steady]


def test_a_passive_buzzer_sounds_at_its_tone(chip: Chip) -> None:
    """With `tone_hz`, on is a square wave, off is a steady level; before and after a sound there is none."""
    bench = Bench(chip, Wiring(PINS, tone_hz=TONE_HZ))
    bench.open()
    try:
        assert [("amber", True)] == bench.history()
        bench.signals.show(Lights.ALARM)
        line = chip.factory().pin(PINS["buzzer"])
        wait_for(lambda: line.frequency is not None)
        if isinstance(chip, MockChip):
            assert (TONE_HZ, 0.5) == (line.frequency, line.state)
        else:
            wait_for(lambda: len(bench.changes("buzzer")) >= 20)
        bench.signals.show(Lights.LOCKDOWN)
        assert not bench.level("buzzer")
        bench.forget()
        time.sleep(0.3)
        assert [] == bench.changes("buzzer")
    finally:
        bench.signals.close()


@pytest.mark.parametrize("wiring", WIRINGS.values(), ids=WIRINGS)
def test_safe_outputs_need_no_gate(chip: Chip, wiring: Wiring) -> None:
    """After a crash: every output at its fault value, from whatever it was at, without one wrong level between."""
    bench = Bench(chip, wiring)
    for name in wiring.outputs:
        chip.resistor(wiring.pins[name], up=name not in wiring.active_low)
    bench.forget()
    with safe_outputs(chip.factory(), wiring) as missing:
        assert ({}, bench.faults) == (missing, bench.levels())
        assert set() == {name for name, on in bench.history() if on}


def test_hands_for_the_mock_pins() -> None:
    """The demo and the tests press buttons through `edgegate.testing`."""
    pressed: list[Button] = []
    signals = GpioSignals(factory("mock"), RELAYS, pressed.append)
    for button in Button:
        press(signals, button)
    assert (list(Button), 1) == (pressed, pin(signals, "relay").state)
    signals.close()


def test_mock_pins_are_those_of_gpiozero() -> None:
    """`pins: mock` is gpiozero's own factory, made anew for each gate."""
    first, second = factory("mock"), factory("mock")
    assert isinstance(first, MockFactory)
    assert isinstance(second, Factory)
    assert first is not second


def test_a_wiring_lists_its_lines() -> None:
    """Outputs first, the relay where there is one; a button is pressed at 0 V."""
    assert (
        Line("green", 17, "output", False),
        Line("amber", 27, "output", False),
        Line("red", 22, "output", False),
        Line("buzzer", 23, "output", False),
        Line("acknowledge", 24, "input", True),
        Line("diary", 25, "input", True),
    ) == PLAIN.lines()
    assert Line("relay", 5, "output", True) == RELAYS.lines()[4]
