"""`edgegate signals`: try every light, sound and button; or leave the outputs safe."""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from pydantic import ValidationError

from edgegate.cli.common import config_option, configuration
from edgegate.config import Config, Signals
from edgegate.config_file import MAX_BYTES, find
from edgegate.errors import ConfigError, EdgeGateError, SignalsLost
from edgegate.files import only_one, read_small
from edgegate.model import Button
from edgegate.signals.gpio import GpioSignals, safe_outputs
from edgegate.signals.patterns import FAULT_VALUES, PATTERNS, Pattern, Rhythm
from edgegate.signals.pins import factory
from edgegate.signals.wiring import Wiring
from edgegate.state import Lights

PAUSE_S = 2.5
SEEN = {
    Rhythm.ON: "steady",
    Rhythm.SLOW: "one second on, one second off",
    Rhythm.QUICK: "four times a second",
    Rhythm.FLASH: "briefly once a second",
    Rhythm.CHIRP: "one short sound",
    Rhythm.PULSE: "closes once",
}
WORDS = {Button.ACKNOWLEDGE: "acknowledge (ends an alarm)", Button.DIARY: "diary (the paper diary was checked)"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("signals", help="try lights, buzzer and buttons, or leave the outputs safe")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    test = actions.add_parser("test", help="play each pattern, ask what was seen, wait for each button")
    config_option(test)
    test.add_argument("--yes", action="store_true", help="ask nothing: pause after each pattern, count it as seen")
    test.add_argument(
        "--wait", type=float, default=20.0, metavar="S", help="how long to wait for a button (20); 0: leave them out"
    )
    test.set_defaults(run=run_test)
    safe = actions.add_parser("safe", help="set every output to its fault value: amber on, all else off")
    config_option(safe)
    safe.add_argument(
        "--hold", action="store_true", help="hold them until stopped, for a chip that forgets a level with its process"
    )
    safe.set_defaults(run=run_safe)


def run_test(args: argparse.Namespace) -> int:
    config = configuration(args)
    if not args.yes and not sys.stdin.isatty():
        raise EdgeGateError("nobody can answer here", where="signals test", next="run it in a terminal, or give --yes")
    presses: queue.Queue[Button] = queue.Queue()
    with _alone(config):
        settings = config.signals
        signals = GpioSignals(factory(settings.pins), Wiring.of(settings), presses.put)
        try:
            good = [_try_pattern(signals, names, pattern, args.yes) for pattern, names in _patterns().items()]
            good += [_try_button(presses, button, args.wait) for button in Button if args.wait > 0]
        finally:
            signals.close()
    bad = good.count(False)
    print(f"{bad} of {len(good)} not as it should be" if bad else "all as it should be")
    return 1 if bad else 0


def run_safe(args: argparse.Namespace) -> int:
    settings = _signals_of(find(args.config))
    if settings.pins == "mock":
        print("pins: mock: there is nothing to make safe")
        return 0
    wiring = Wiring.of(settings)
    over = threading.Event()
    if args.hold:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
    with safe_outputs(factory(settings.pins), wiring) as missing:
        if missing:
            raise SignalsLost(
                f"not at its fault value: {', '.join(missing)} ({next(iter(missing.values()))})",
                where=f"signals.pins: {settings.pins}",
                next="stop the program that holds the pins, or switch the power of the lights off",
            )
        levels = ", ".join(f"{name} {'on' if FAULT_VALUES.get(name) else 'off'}" for name in wiring.outputs)
        print(f"at their fault values: {levels}", flush=True)
        if args.hold:
            over.wait()
    return 0


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """With the daemon's lock, so that the two never drive one gate; a lock file that was not there does not stay,
    for the daemon may not be allowed to open one that root has made."""
    path = config.journal.path.with_suffix(".lock")
    new = not path.exists()
    with only_one(path):
        try:
            yield
        finally:
            if new:
                path.unlink(missing_ok=True)


def _patterns() -> dict[Pattern, str]:
    """Each pattern once, with the names of all that look like it."""
    names: dict[Pattern, str] = {}
    for lights in Lights:
        pattern = PATTERNS[lights]
        names[pattern] = f"{names[pattern]}, {lights.value}" if pattern in names else lights.value
    return names


def _try_pattern(signals: GpioSignals, names: str, pattern: Pattern, sure: bool) -> bool:
    lights = Lights(names.partition(",")[0])
    told = "; ".join(
        f"{name} {SEEN[rhythm]}"
        for name in signals.wiring.outputs
        if (rhythm := getattr(pattern, name)) is not Rhythm.OFF
    )
    print(f"{names}: {told or 'all dark and silent'}", end=" ", flush=True)
    try:
        while True:
            signals.show(lights)
            if sure:
                time.sleep(PAUSE_S)
                answer = "y"
            else:
                answer = _ask("[y: so it is, n: it is not, r: again] ")
            signals.check()
            if answer != "r":
                break
    except SignalsLost as error:
        print(f"... {error}")
        return False
    print("... good" if answer == "y" else "... NOT as it should be")
    return answer == "y"


def _ask(prompt: str) -> str:
    while True:
        try:
            answer = input(prompt).strip().lower()[:1]
        except EOFError:
            return "n"
        if answer in ("y", "n", "r"):
            return answer


def _try_button(presses: queue.Queue[Button], button: Button, wait_s: float) -> bool:
    while not presses.empty():
        presses.get_nowait()  # of somebody who was early
    print(f"press {WORDS[button]} within {wait_s:g} s", end=" ", flush=True)
    try:
        pressed = presses.get(timeout=wait_s)
    except queue.Empty:
        print("... NOT pressed, or not heard")
        return False
    print("... good" if pressed is button else f"... NOT as it should be: {pressed.value} was heard")
    return pressed is button


def _signals_of(path: Path) -> Signals:
    """The section `signals` alone: a mistake elsewhere must not keep the outputs from being made safe."""
    data = read_small(path, MAX_BYTES, missing="name the configuration with --config")
    try:
        raw = yaml.safe_load(data)
        section = raw.get("signals") if isinstance(raw, dict) else None
        return Signals.model_validate({} if section is None else section)
    except (yaml.YAMLError, ValidationError, ValueError, RecursionError):
        raise ConfigError(
            str(path), [f"{path}: signals: cannot be read; `edgegate check --config {path}` tells where"]
        ) from None
