"""Port `Signals`: lights, buzzer and buttons. A real chip joins by one more entry in `BENCHES`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from gpiozero import Factory
from gpiozero.pins.mock import MockFactory, MockPin

from edgegate.errors import SignalsLost
from edgegate.model import Button
from edgegate.signals.gpio import OUTPUTS, GpioSignals
from edgegate.signals.patterns import FAULT_VALUES, PATTERNS, TIMES, Rhythm
from edgegate.signals.pins import factory
from edgegate.state import Lights
from edgegate.testing import pin, press
from tests.contracts.kit import said

PINS = {"green": 17, "amber": 27, "red": 22, "buzzer": 23, "acknowledge": 24, "diary": 25}
PATIENCE_S = 10.0


@dataclass
class Bench:
    """Signals, what their outputs did, and hands for their buttons."""

    signals: GpioSignals
    pressed: list[Button]
    level: Callable[[str], bool]
    """Where an output is at now."""
    press: Callable[[Button], None]
    history: list[tuple[str, bool]] = field(default_factory=list)
    """Every change of an output, in order."""

    def changes(self, name: str) -> list[bool]:
        return [value for changed, value in self.history if changed == name]


def mock_bench() -> Bench:
    """gpiozero's mock pins, each change written to one list."""
    history: list[tuple[str, bool]] = []
    names = {f"GPIO{number}": name for name, number in PINS.items()}

    class WatchedPin(MockPin):  # type: ignore[misc]  # gpiozero has no types: every base of its is Any
        def _change_state(self, value: bool) -> bool:
            changed = bool(super()._change_state(value))
            name = names[self.info.name]
            if changed and name in OUTPUTS:
                history.append((name, value))
            return changed

    pressed: list[Button] = []
    signals = GpioSignals(MockFactory(pin_class=WatchedPin), PINS, pressed.append)
    return Bench(
        signals,
        pressed,
        lambda name: bool(pin(signals, name).state),
        lambda button: press(signals, button),
        history,
    )


BENCHES = {"mock": mock_bench}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each kind of pins, just started."""
    made = BENCHES[request.param]()
    yield made
    made.signals.close()


def wait_for(happened: Callable[[], bool]) -> None:
    """Until a rhythm, which runs in a thread of its own, has come that far."""
    end = time.monotonic() + PATIENCE_S
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)
    assert happened()


def has_changed(bench: Bench, name: str, times: int) -> bool:
    return len(bench.changes(name)) >= times


def levels(bench: Bench) -> dict[str, bool]:
    return {name: bench.level(name) for name in OUTPUTS}


def test_outputs_start_at_their_fault_values(bench: Bench) -> None:
    """Before the first pattern amber says: see the supervisor; nothing else was lit for a moment."""
    assert FAULT_VALUES == levels(bench)
    assert {"amber": True} == dict(bench.history)


@pytest.mark.parametrize("lights", Lights)
def test_a_pattern_drives_every_output(bench: Bench, lights: Lights) -> None:
    """On is on, off is off, a rhythm goes on and off again; and `levels` says so."""
    wanted = {name: getattr(PATTERNS[lights], name) for name in OUTPUTS}
    bench.signals.show(Lights.READY)
    assert dict.fromkeys(OUTPUTS, False) == levels(bench)
    bench.history.clear()
    bench.signals.show(lights)
    assert {name: rhythm.value for name, rhythm in wanted.items()} == bench.signals.levels()
    for name, rhythm in wanted.items():
        if rhythm is Rhythm.ON:
            assert [True] == bench.changes(name)
        elif rhythm is Rhythm.OFF:
            assert [] == bench.changes(name)
        else:
            turns = 1 if TIMES[rhythm][2] == 1 else 2 if TIMES[rhythm][0] < 1 else 1
            expected = [True, False] * turns
            wait_for(partial(has_changed, bench, name, len(expected)))
            assert expected == bench.changes(name)[: len(expected)]


def test_a_chirp_sounds_once(bench: Bench) -> None:
    """Granted is heard once, not for two seconds."""
    bench.signals.show(Lights.READY)
    bench.history.clear()
    bench.signals.show(Lights.GRANTED)
    wait_for(lambda: bench.changes("buzzer") == [True, False])
    time.sleep(0.3)  # two chirps' time
    assert [True, False] == bench.changes("buzzer")
    assert bench.level("green")


def test_a_silent_alarm_goes_on_blinking(bench: Bench) -> None:
    """When the buzzer has sounded long enough the red light stays, without the buzzer."""
    bench.signals.show(Lights.ALARM)
    wait_for(lambda: True in bench.changes("buzzer") and True in bench.changes("red"))
    bench.signals.show(Lights.ALARM_SILENT)
    assert not bench.level("buzzer")
    bench.history.clear()
    wait_for(lambda: bench.changes("red").count(True) >= 2)
    assert [] == bench.changes("buzzer")


def test_green_and_red_are_never_lit_together(bench: Bench) -> None:
    """Through every change from one pattern to another, at no moment and in no rhythm."""
    for before, after in itertools.permutations(Lights, 2):
        for lights in (before, after):
            bench.signals.show(lights)
            blinking = [name for name in ("red", "green") if getattr(PATTERNS[lights], name) in TIMES]
            for name in blinking:
                wait_for(partial(bench.level, name))
    lit = dict(FAULT_VALUES)
    together = 0
    for name, value in bench.history:
        lit[name] = value
        together += lit["green"] and lit["red"]
    assert 0 == together
    assert {True, False} == set(bench.changes("green")) == set(bench.changes("red"))


def test_what_a_pattern_ends_stays_ended(bench: Bench) -> None:
    """A rhythm left behind does not come back and light an output of the next pattern."""
    bench.signals.show(Lights.ALARM)
    wait_for(lambda: True in bench.changes("red"))
    bench.signals.show(Lights.GRANTED)
    bench.history.clear()
    time.sleep(0.4)  # a quick rhythm's time and a half
    assert [] == bench.changes("red")


def test_a_press_is_one_call(bench: Bench) -> None:
    """Each press of a button is told once, in order, and releasing it is not told."""
    wanted = [Button.ACKNOWLEDGE, Button.DIARY, Button.DIARY, Button.ACKNOWLEDGE]
    for button in wanted:
        bench.press(button)
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
    assert FAULT_VALUES == levels(bench)
    assert {name: "on" if value else "off" for name, value in FAULT_VALUES.items()} == bench.signals.levels()
    bench.history.clear()
    time.sleep(0.15)  # longer than the quick rhythm and the chirp
    assert [] == bench.history


def test_a_pattern_may_follow_safe(bench: Bench) -> None:
    """`safe` is no end: when the fault is over the gate shows patterns again."""
    bench.signals.safe()
    bench.signals.show(Lights.GRANTED)
    assert bench.level("green")
    assert not bench.level("amber")


@pytest.mark.parametrize("lights", [Lights.GRANTED, Lights.ALARM, Lights.FAULT, Lights.LOCKDOWN])
def test_closing_leaves_the_fault_values_and_may_come_twice(bench: Bench, lights: Lights) -> None:
    """After `close` the outputs stay where a gate without a daemon has them."""
    bench.signals.show(lights)
    for _ in range(2):
        bench.signals.close()
        assert FAULT_VALUES == levels(bench)


def test_pins_are_given_back(bench: Bench) -> None:
    """After `close` another may use the same pins."""
    bench.signals.close()
    again = GpioSignals(bench.signals.factory, PINS, bench.pressed.append)
    again.show(Lights.GRANTED)
    assert bench.level("green")
    again.close()


@pytest.mark.parametrize(
    ("pins", "number"), [(PINS | {"diary": 17}, "17"), (PINS | {"buzzer": 22}, "22"), (PINS | {"red": 99}, "99")]
)
def test_a_pin_that_cannot_be_used_is_signals_lost(pins: dict[str, int], number: str) -> None:
    """A pin used twice or not there is told in one line with its number; those taken before are given back safe."""
    pins_of_this_machine = factory("mock")
    with pytest.raises(SignalsLost) as caught:
        GpioSignals(pins_of_this_machine, pins, lambda button: None)
    assert number in said(caught.value)
    good = GpioSignals(pins_of_this_machine, PINS, lambda button: None)
    assert FAULT_VALUES == {name: bool(pin(good, name).state) for name in OUTPUTS}
    good.close()


def test_mock_pins_are_those_of_gpiozero() -> None:
    """`pins: mock` is gpiozero's own factory, made anew for each gate."""
    first, second = factory("mock"), factory("mock")
    assert isinstance(first, MockFactory)
    assert isinstance(second, Factory)
    assert first is not second


def test_real_pins_that_are_not_there_are_signals_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without GPIO, `pins: lgpio` is one line with what to do, never mock pins."""
    if any(Path("/dev").glob("gpiochip*")):
        pytest.skip("this machine has GPIO chips: lgpio may well work here")
    monkeypatch.chdir(tmp_path)  # lgpio leaves a file where it stands
    with pytest.raises(SignalsLost) as caught:
        factory("lgpio")
    assert "pins: mock" in said(caught.value)
