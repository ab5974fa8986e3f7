"""Hands and eyes inside the guest: pins that can be seen and pressed, a camera, a badge reader, systemd.

For scripts run by Debian's own Python, with nothing but its standard library. Every part lives on when the script that
made it ends: another script takes hold of it by the same name.

    python3 -m guest.parts LINE...

prints "time line value" for these lines of the chip, by the monotonic clock, at first and at each change.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from . import usb

CHIPS = Path("/sys/kernel/config/gpio-sim")
RUN = Path("/run/parts")


def wait_for(
    condition: Callable[[], object], timeout_s: float, what: str | Callable[[], str], every_s: float = 0.05
) -> float:
    """Seconds until the condition held. Raises TimeoutError with `what`, asked then, when it never did."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout_s:
            raise TimeoutError(f"not within {timeout_s:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(every_s)
    return time.monotonic() - started


def run(*command: str, check: bool = True) -> str:
    """Standard output of a command. Raises CalledProcessError when it fails, unless told not to check."""
    return subprocess.run(command, check=check, stdout=subprocess.PIPE, encoding="utf-8").stdout


def properties(unit: str, *names: str) -> dict[str, str]:
    """What systemd knows of a unit, such as ActiveState, MainPID, NRestarts, StatusText."""
    shown = run("systemctl", "show", unit, "--property", ",".join(names))
    return dict(line.split("=", 1) for line in shown.splitlines())


def journal(unit: str, *options: str) -> list[str]:
    """The lines that a unit wrote to systemd's journal since boot."""
    return run("journalctl", "--unit", unit, "--boot", "--output", "cat", "--no-pager", *options).splitlines()


@dataclass(frozen=True)
class Change:
    """A line of a chip had another value than before."""

    at: float
    """Monotonic clock, s."""
    line: int
    value: bool


class Chip:
    """A GPIO chip of the kernel's gpio-sim, whose outputs are seen and inputs pressed from below, as wires would."""

    def __init__(self, name: str = "gate") -> None:
        self.name = name
        self._folder = CHIPS / name
        self._bank = self._folder / "bank"

    @property
    def device(self) -> str:
        """Its device file, /dev/gpiochipN."""
        return "/dev/" + (self._bank / "chip_name").read_text().strip()

    @property
    def lines(self) -> Path:
        """The folder with a folder for each of its lines."""
        return self._line(0, "value").parents[1]

    def plug(self, lines: int = 32) -> None:
        """Make it, or connect it again; nothing happens where it is connected."""
        if not self._bank.is_dir():
            run("modprobe", "gpio-sim")
            self._bank.mkdir(parents=True)
            (self._bank / "num_lines").write_text(str(lines))
            (self._bank / "label").write_text(self.name)
        live = self._folder / "live"
        if live.read_text().strip() != "1":
            live.write_text("1")
        wait_for(Path(self.device).exists, 5, f"{self.device} made by udev")

    def unplug(self) -> None:
        """Take it away, also from who is using it."""
        (self._folder / "live").write_text("0")

    def _line(self, line: int, attribute: str) -> Path:
        device = (self._folder / "dev_name").read_text().strip()
        chip = (self._bank / "chip_name").read_text().strip()
        return Path("/sys/devices/platform", device, chip, f"sim_gpio{line}", attribute)

    def value(self, line: int) -> bool:
        """The level on a line: what drives it as output, or the pull of an input."""
        return self._line(line, "value").read_text().strip() == "1"

    def values(self, lines: Iterable[int]) -> dict[int, bool]:
        return {line: self.value(line) for line in lines}

    def pull(self, line: int, high: bool) -> None:
        """Pull an input up or down. Where it goes is a press or a release, as the button is wired."""
        self._line(line, "pull").write_text("pull-up" if high else "pull-down")

    def press(self, line: int, seconds: float = 0.3) -> None:
        """Press a button wired to ground, and let it go."""
        self.pull(line, high=False)
        time.sleep(seconds)
        self.pull(line, high=True)

    def watch(self, lines: Iterable[int], every_s: float = 0.01) -> Watch:
        """Record what happens on these lines while a `with` block lasts."""
        return Watch({line: self._line(line, "value") for line in lines}, every_s)


class Watch:
    """Looks at lines again and again; a change shorter than the interval may be missed, as gpio-sim tells nobody."""

    def __init__(self, files: dict[int, Path], every_s: float) -> None:
        self._files, self._every_s = files, every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.changes: list[Change] = []
        """The first of each line is its value at the beginning."""

    def _look(self) -> None:
        known: dict[int, bool] = {}
        with ExitStack() as stack:
            files = {line: stack.enter_context(file.open("rb", buffering=0)) for line, file in self._files.items()}
            while not self._end.wait(self._every_s):
                for line, file in files.items():
                    file.seek(0)
                    value = file.read(1) == b"1"
                    if known.get(line) is not value:
                        known[line] = value
                        self.changes.append(Change(time.monotonic(), line, value))

    def ever(self, line: int, value: bool = True) -> bool:
        """Whether a line ever had this value."""
        return any(change.line == line and change.value is value for change in self.changes)

    def __enter__(self) -> Watch:
        self._thread.start()
        wait_for(lambda: len(self.changes) >= len(self._files), 5, "a first look at every line")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()


class UsbDevice:
    """A device that one of the programs beside this file plays, as a process of its own."""

    kind = ""

    def __init__(self, serial: str = "SN0001") -> None:
        """Take hold of it, whether it is made already or not."""
        self.serial = serial
        self._control = RUN / self.kind

    @property
    def path(self) -> Path:
        """The device file's name that stays the same wherever it is plugged in."""
        raise NotImplementedError

    def plug(self) -> None:
        """Plug it in and wait for its device file."""
        usb.order(self._control, "plug")
        wait_for(self.path.exists, 30, f"{self.path} made by udev")

    def unplug(self) -> None:
        """Pull it out, also from who is using it."""
        usb.order(self._control, "unplug")
        wait_for(lambda: not self.path.exists(), 30, f"{self.path} removed by udev")

    def _make(self, *arguments: object) -> None:
        RUN.mkdir(exist_ok=True)
        usb.start(f"usb_{self.kind}", self._control, *map(str, arguments), self.serial)


class Reader(UsbDevice):
    """A badge reader that types. See usb_reader."""

    kind = "reader"

    @property
    def path(self) -> Path:
        return Path(f"/dev/input/by-id/usb-EdgeGate_Test_Reader_{self.serial}-event-kbd")

    def make(self, vendor: int = 0x1209, product: int = 0x0001) -> Reader:
        """Make it, not yet plugged in; once a boot."""
        self._make(f"{vendor:04x}", f"{product:04x}")
        return self

    def type(self, text: str, *, enter: bool = True) -> None:
        """Type a text and, after it, Enter. Returns at once: 100 characters take 0.8 s."""
        usb.order(self._control, "type", text + ("\n" if enter else ""))


class Camera(UsbDevice):
    """A webcam. See usb_camera for what a picture is."""

    kind = "camera"

    @property
    def path(self) -> Path:
        return Path(f"/dev/v4l/by-id/usb-EdgeGate_Test_Camera_{self.serial}-video-index0")

    def make(self, picture: str, width: int = 640, height: int = 480, fps: float = 5) -> Camera:
        """Make it, showing a picture of this size, not yet plugged in; once a boot."""
        self._make(picture, width, height, fps)
        return self

    def show(self, picture: str) -> None:
        """Another picture, from the next frame on."""
        usb.order(self._control, "show", picture)

    def freeze(self) -> None:
        """The same frame again and again, as from a camera that hangs."""
        usb.order(self._control, "freeze")

    def stall(self) -> None:
        """No frames, though it is plugged in."""
        usb.order(self._control, "stall")

    def go(self) -> None:
        """On as before."""
        usb.order(self._control, "go")


if __name__ == "__main__":
    with Chip().watch(map(int, sys.argv[1:])) as watched:
        printed = 0
        while True:
            for change in watched.changes[printed:]:
                print(f"{change.at:.3f} {change.line} {change.value:d}", flush=True)
                printed += 1
            time.sleep(0.05)
