"""`edgegate signals test` and `signals safe`: what they show, ask, refuse and leave behind."""

from __future__ import annotations

import builtins
import io
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpiod
import pytest
import yaml
from gpiod.line import Direction, Value

import edgegate.cli.signals as command
from edgegate.cli import main
from edgegate.config import Signals
from edgegate.errors import SignalsLost
from edgegate.files import only_one
from edgegate.model import Button
from edgegate.signals.gpio import GpioSignals
from edgegate.signals.patterns import FAULT_VALUES, PATTERNS
from edgegate.signals.wiring import OUTPUTS
from edgegate.state import Lights
from edgegate.testing import pin, press
from tests.contracts.kit import ROOT
from tests.gpio_sim import GpioSim, gpio_sim

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in a folder of its own, with a configuration of these sections: exit code, lines out, lines err."""

    def go(*args: str, **sections: Any) -> tuple[int, list[str], list[str]]:
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump({"signals": {"pins": "mock"}} | sections), "utf-8")
        code = main(["signals", *args, "--config", str(config)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    monkeypatch.setattr(command, "PAUSE_S", 0.0)
    return go


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[GpioSignals]:
    """The signals that a command opens, for the test's hands."""
    found: list[GpioSignals] = []

    class Watched(GpioSignals):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            found.append(self)

    monkeypatch.setattr(command, "GpioSignals", Watched)
    return found


def answer(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Somebody at the terminal; gives what is left unsaid."""
    left = list(answers)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def ask(prompt: str = "") -> str:
        print(prompt, end="")
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(builtins, "input", ask)
    return left


def fingers(monkeypatch: pytest.MonkeyPatch, *presses: Callable[[], object]) -> None:
    """Somebody at the buttons: one of these acts each time a press is waited for."""
    left = list(presses)

    class Presses(queue.Queue[Button]):
        def get(self, block: bool = True, timeout: float | None = None) -> Button:
            if block and left:
                left.pop(0)()
            return super().get(block, timeout)

    monkeypatch.setattr(queue, "Queue", Presses)


def test_all_as_it_should_be(run: Run, opened: list[GpioSignals], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pattern once and in words, then each button; at the end the outputs are safe, and no lock file is left."""
    left = answer(monkeypatch, *["y"] * 8)
    fingers(monkeypatch, *(lambda button=button: press(opened[0], button) for button in Button))
    code, out, err = run("test", "--wait", "5", signals={"pins": "mock", "relay": 5})
    assert (0, [], []) == (code, err, left), out
    shown = {name for line in out for name in line.partition(":")[0].split(", ")}
    assert {lights.value for lights in Lights} <= shown
    (granted,) = (line for line in out if line.startswith("granted:"))
    assert granted.startswith("granted: green steady; buzzer one short sound; relay closes once")
    assert "all as it should be" == out[-1]
    assert FAULT_VALUES == {name: bool(pin(opened[0], name).state) for name in OUTPUTS}


def test_what_was_not_seen_is_told(run: Run, opened: list[GpioSignals], monkeypatch: pytest.MonkeyPatch) -> None:
    """A no is a line and exit 1; `r` shows it once more; anything else is asked again."""
    shown: list[Lights] = []
    monkeypatch.setattr(GpioSignals, "show", lambda self, lights: shown.append(lights))
    left = answer(monkeypatch, "y", "y", "what?", "r", "n", *["y"] * 5)
    code, out, err = run("test", "--wait", "0")
    assert (1, [], []) == (code, err, left)
    assert "1 of 8 not as it should be" == out[-1]
    assert [Lights.GRANTED] * 2 == [lights for lights in shown if lights is Lights.GRANTED]
    assert 1 == len([line for line in out if line.endswith("... NOT as it should be")])


def test_a_terminal_that_goes_away_is_a_no(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody said that it was right."""
    answer(monkeypatch, "y")
    code, out, err = run("test", "--wait", "0")
    assert (1, [], "7 of 8 not as it should be") == (code, err, out[-1])


def test_without_questions(run: Run) -> None:
    """`--yes` goes through the patterns; with `--wait 0` the buttons are left out."""
    code, out, err = run("test", "--yes", "--wait", "0")
    assert (0, [], 9) == (code, err, len(out))
    assert 8 == len({PATTERNS[lights] for lights in Lights}) == len([line for line in out if line.endswith("... good")])


def test_a_button_nobody_presses_and_one_that_is_another(
    run: Run, opened: list[GpioSignals], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are told, each in its line."""
    fingers(monkeypatch, lambda: press(opened[0], Button.DIARY))
    code, out, err = run("test", "--yes", "--wait", "0.2")
    assert (1, [], "2 of 10 not as it should be") == (code, err, out[-1])
    assert out[-3].endswith("... NOT as it should be: diary was heard")
    assert out[-2].endswith("... NOT pressed, or not heard")


def test_a_press_before_it_was_asked_for_does_not_count(
    run: Run, opened: list[GpioSignals], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who tried the buttons during the lights has to press again."""
    monkeypatch.setattr(GpioSignals, "check", lambda self: press(self, Button.ACKNOWLEDGE))
    fingers(monkeypatch, lambda: None, lambda: press(opened[0], Button.DIARY))
    code, out, err = run("test", "--yes", "--wait", "0.2")
    assert (1, [], "1 of 10 not as it should be") == (code, err, out[-1])
    assert out[-3].endswith("... NOT pressed, or not heard")


def test_an_output_that_does_not_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said in the pattern's line, and the others are still tried."""

    def check(self: GpioSignals) -> None:
        if self.levels()["amber"] != "off":
            raise SignalsLost("amber does not answer", where="signals")

    monkeypatch.setattr(GpioSignals, "check", check)
    code, out, err = run("test", "--yes", "--wait", "0")
    assert (1, [], "3 of 8 not as it should be") == (code, err, out[-1])
    assert 3 == len([line for line in out if line.endswith("... signals: amber does not answer")])


def test_nobody_to_ask(run: Run) -> None:
    """Without a terminal it does not pretend."""
    code, out, err = run("test")
    assert (2, [], 1) == (code, out, len(err))
    assert "--yes" in err[0]


def test_the_daemon_has_the_pins(run: Run, tmp_path: Path, opened: list[GpioSignals]) -> None:
    """One line, and no pin is touched; the daemon's lock file stays."""
    with only_one(tmp_path / "journal.lock"):
        code, out, err = run("test", "--yes")
    assert (2, [], []) == (code, out, opened)
    assert [f"edgegate: {tmp_path}/journal.lock: another EdgeGate runs this gate already; stop that one first"] == err
    assert (tmp_path / "journal.lock").exists()


def test_no_lock_file_is_left(run: Run, tmp_path: Path) -> None:
    """One that root had made the daemon could not open."""
    assert 0 == run("test", "--yes", "--wait", "0")[0]
    assert not (tmp_path / "journal.lock").exists()


@pytest.mark.parametrize(
    "sections",
    [{}, {"gate": {"naem": "x"}}, {"camera": 7, "unknown": [1]}, {"signals": {"pins": "mock"}, "vault": {"path": 1}}],
)
def test_safe_asks_for_the_signals_alone(run: Run, sections: dict[str, Any]) -> None:
    """A mistake elsewhere in the configuration, or a running gate's lock, does not matter after a crash."""
    code, out, err = run("safe", **sections)
    assert (0, ["pins: mock: there is nothing to make safe"], []) == (code, out, err)


@pytest.mark.parametrize("signals", [{"pins": "lgpoi"}, {"green": "x"}, {"grene": 1}, [], 7])
def test_safe_cannot_guess_pins(run: Run, signals: object) -> None:
    """Where the section itself is wrong it drives nothing: one line, exit 2."""
    code, out, err = run("safe", signals=signals)
    assert (2, [], 1) == (code, out, len(err))
    assert "edgegate check" in err[0]


@pytest.mark.parametrize("text", ["signals: [", "\x00", "- 1\n- 2: {", "signals: &a [*a]"])
def test_safe_of_a_file_that_is_no_configuration(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit 2."""
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert 2 == main(["signals", "safe", "--config", str(path)])
    assert 1 == len(capsys.readouterr().err.splitlines())


def test_safe_without_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, exit 2."""
    assert 2 == main(["signals", "safe", "--config", str(tmp_path / "none.yaml")])
    assert "none.yaml: does not exist" in capsys.readouterr().err


def test_safe_where_there_are_no_such_pins(run: Run) -> None:
    """One line that names them, exit 2."""
    code, out, err = run("safe", signals={"pins": "gpiod:/dev/gpiochip999"})
    assert (2, [], 1) == (code, out, len(err))
    assert "gpiod:/dev/gpiochip999: there is no such chip" in err[0]


@pytest.fixture
def sim() -> GpioSim:
    return gpio_sim()


def real(sim: GpioSim) -> dict[str, Any]:
    return {"pins": f"gpiod:{sim.path}", "relay": 5, "active_low": ["relay"]}


def test_safe_on_a_real_chip(run: Run, sim: GpioSim) -> None:
    """Every output is driven to its fault value, and to no other."""
    code, out, err = run("safe", signals=real(sim))
    assert (0, []) == (code, err)
    assert ["at their fault values: green off, amber on, red off, buzzer off, relay off"] == out
    assert {(17, False), (27, True), (22, False), (23, False), (5, True)} == set(sim.driven())


def test_safe_with_a_pin_that_is_held(run: Run, sim: GpioSim) -> None:
    """The others are made safe all the same; the one is named, with who holds it."""
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    with gpiod.request_lines(sim.path, {17: settings}, "somebody"):
        sim.forget()
        code, out, err = run("safe", signals=real(sim))
    assert (2, [], 1) == (code, out, len(err))
    assert "not at its fault value: green (line 17" in err[0]
    assert "in use by 'somebody'" in err[0]
    assert {(27, True), (22, False), (23, False), (5, True)} == set(sim.driven())


def test_safe_holds_until_stopped(sim: GpioSim, tmp_path: Path) -> None:
    """`--hold`, for a chip that forgets a level with the process: amber stays lit until SIGTERM."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"signals": real(sim)}), "utf-8")
    args = [sys.executable, "-m", "edgegate", "signals", "safe", "--hold", "--config", str(path)]
    with subprocess.Popen(args, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("at their fault values")
            assert sim.level(27)
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(60)
        finally:
            process.kill()
    assert not sim.level(27)  # this simulated chip falls back to its resistor


def test_the_test_on_a_real_chip(run: Run, sim: GpioSim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lights as the daemon's; both buttons are heard; at the end the last levels are the fault values."""
    for line in (24, 25):
        sim.resistor(line, up=True)
    monkeypatch.setattr(command, "PAUSE_S", 0.3)
    # Presses come while the command waits, as they do at a gate.
    fingers(monkeypatch, *(threading.Thread(target=sim.press, args=(line,)).start for line in (24, 25)))
    code, out, err = run("test", "--yes", "--wait", "30", signals=real(sim))
    assert (0, [], "all as it should be") == (code, err, out[-1]), out
    last = dict(sim.driven())
    assert {17: False, 27: True, 22: False, 23: False, 5: True} == {line: last[line] for line in (17, 27, 22, 23, 5)}


def test_settings_are_those_of_the_configuration() -> None:
    """What the command reads alone is what the daemon reads."""
    assert Signals() == command._signals_of(ROOT / "config.example.yaml")
