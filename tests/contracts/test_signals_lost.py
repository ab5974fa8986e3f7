"""Port `Signals`, when wires are cut, a chip is pulled out, or pins cannot be had: told, and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from edgegate.errors import SignalsLost
from edgegate.model import Button
from edgegate.signals.gpio import GpioSignals, safe_outputs
from edgegate.signals.patterns import FAULT_VALUES, PATTERNS, Rhythm
from edgegate.signals.pins import factory
from edgegate.signals.wiring import OUTPUTS, Wiring
from edgegate.state import Lights
from edgegate.testing import pin
from tests.contracts.chips import PINS, PLAIN, RELAYS, Bench, MockChip, gpiod_chip, has_changed
from tests.contracts.kit import said
from tests.gpio_sim import wait_for


@pytest.fixture
def mock() -> Iterator[Bench]:
    """The relay board on mock pins, which can break."""
    made = Bench(MockChip(), RELAYS)
    made.open()
    yield made
    made.chip.close()
    made.signals.close()


def wires(bench: Bench) -> MockChip:
    """The mock chip, to cut and mend its wires."""
    assert isinstance(bench.chip, MockChip)
    return bench.chip


@pytest.mark.parametrize("name", ["amber", "red", "buzzer", "green", "relay"])
def test_an_output_that_fails_is_told_and_the_others_go_on(mock: Bench, name: str) -> None:
    """Each output in turn: `show` says which; what is not broken speaks; nothing that lets pass is on."""
    mock.signals.show(Lights.READY)
    wires(mock).cut(mock.wiring.pins[name])
    for lights in (Lights.ALARM, Lights.GRANTED, Lights.REFER):
        with pytest.raises(SignalsLost) as caught:
            mock.signals.show(lights)
        assert name in said(caught.value)
        for other in mock.wiring.outputs:
            if other not in (name, "green", "relay"):
                assert mock.level(other) is (getattr(PATTERNS[lights], other) is not Rhythm.OFF)
        if lights is not Lights.GRANTED or name not in ("green", "relay"):
            assert not {True} & set(mock.changes("green") + mock.changes("relay"))
        mock.forget()


def test_what_lets_pass_comes_last(mock: Bench) -> None:
    """With a buzzer that dies with this very pattern, neither green nor the door opener was on for a moment."""
    mock.signals.show(Lights.READY)
    wires(mock).cut(PINS["buzzer"])
    mock.forget()
    with pytest.raises(SignalsLost):
        mock.signals.show(Lights.GRANTED)
    assert [] == mock.changes("green") + mock.changes("relay")
    assert "off" == mock.signals.levels()["green"] == mock.signals.levels()["relay"]


@pytest.mark.parametrize("lights", [Lights.ALARM, Lights.FAULT, Lights.LOCKDOWN, Lights.REFER])
def test_an_output_that_fails_later_is_told_within_a_second(mock: Bench, lights: Lights) -> None:
    """In mid-rhythm or while steady: the next `check`s say so, and the others keep their rhythm."""
    mock.signals.show(lights)
    name = next(name for name in ("red", "amber") if getattr(PATTERNS[lights], name) is not Rhythm.OFF)
    mock.signals.check()
    wires(mock).cut(PINS[name])

    def told() -> bool:
        try:
            mock.signals.check()
        except SignalsLost as error:
            return name in said(error)
        return False

    wait_for(told, patience_s=1.5)
    if lights is Lights.ALARM:
        mock.forget()
        wait_for(partial(has_changed, mock, "buzzer", 4))


def test_what_was_lost_is_taken_up_again(mock: Bench) -> None:
    """`show` opens it anew, starting from its fault value; then all is as if nothing had been."""
    mock.signals.show(Lights.GRANTED)
    wires(mock).cut(*mock.wiring.pins.values())
    for _ in range(2):
        with pytest.raises(SignalsLost):
            mock.signals.check()
        with pytest.raises(SignalsLost):
            mock.signals.show(Lights.FAULT)
    wires(mock).mend()
    mock.forget()
    mock.signals.show(Lights.REFER)
    mock.signals.check()
    assert dict.fromkeys(mock.wiring.outputs, False) | {"amber": True} == mock.levels()
    assert not {True} & set(mock.changes("green") + mock.changes("relay"))
    for button in Button:
        mock.press(button)
    assert list(Button) == mock.pressed


def test_a_button_that_is_gone_is_told(mock: Bench) -> None:
    """A supervisor who cannot acknowledge is a fault like a lamp that is dark."""
    mock.signals.show(Lights.READY)
    wires(mock).cut(PINS["acknowledge"])
    with pytest.raises(SignalsLost) as caught:
        mock.signals.check()
    assert "acknowledge" in said(caught.value)
    wires(mock).mend()
    mock.signals.show(Lights.READY)
    mock.signals.check()
    mock.press(Button.ACKNOWLEDGE)
    assert [Button.ACKNOWLEDGE] == mock.pressed


@pytest.mark.parametrize("lights", [Lights.READY, Lights.ALARM])
def test_an_unplugged_chip_is_told_and_serves_again(lights: Lights) -> None:
    """The chip is pulled out while running: `check` says so; put back, the next `show` lights it, and buttons work."""
    chip = gpiod_chip()
    bench = Bench(chip, PLAIN)
    bench.open()
    bench.signals.show(lights)
    chip.plug(False)
    wait_for(partial(raises_lost, bench.signals.check))
    with pytest.raises(SignalsLost) as caught:
        bench.signals.show(lights)
    assert chip.path in said(caught.value)
    chip.plug(True)
    bench.signals.show(Lights.REFER)
    bench.signals.check()
    assert bench.faults == bench.levels()
    bench.press(Button.DIARY)
    wait_for(lambda: bench.pressed)
    assert [Button.DIARY] == bench.pressed
    bench.signals.close()


def raises_lost(act: Callable[[], None]) -> bool:
    try:
        act()
    except SignalsLost:
        return True
    return False


def test_safe_outputs_name_those_that_cannot_be_had(mock: Bench) -> None:
    """One bad output does not keep the others from being safe."""
    mock.signals.show(Lights.GRANTED)
    mock.signals.close()
    wires(mock).cut(PINS["red"])
    with safe_outputs(mock.chip.factory(), RELAYS) as missing:
        assert {"red"} == set(missing)
        wires(mock).mend()
        assert mock.level("amber")
        assert not mock.level("green")


@pytest.mark.parametrize(
    ("pins", "number"), [(PINS | {"diary": 17}, "17"), (PINS | {"buzzer": 22}, "22"), (PINS | {"red": 99}, "99")]
)
def test_a_pin_that_cannot_be_used_is_signals_lost(pins: dict[str, int], number: str) -> None:
    """A pin used twice or not there is told in one line with its number; those taken before are given back safe."""
    pins_of_this_machine = factory("mock")
    with pytest.raises(SignalsLost) as caught:
        GpioSignals(pins_of_this_machine, Wiring(pins), lambda button: None)
    assert number in said(caught.value)
    good = GpioSignals(pins_of_this_machine, PLAIN, lambda button: None)
    assert FAULT_VALUES == {name: bool(pin(good, name).state) for name in OUTPUTS}
    good.close()


def test_real_pins_that_are_not_there_are_signals_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without GPIO, `pins: lgpio` is one line with what to do, never mock pins, and leaves no file."""
    if any(Path("/dev").glob("gpiochip*")):
        pytest.skip("this machine has GPIO chips: lgpio may well work here")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SignalsLost) as caught:
        factory("lgpio")
    assert "pins: mock" in said(caught.value)
    assert [] == list(tmp_path.iterdir())
