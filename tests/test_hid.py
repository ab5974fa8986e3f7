"""Keyboard-type readers: layouts, how key presses become a code, and how the right device is found."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from edgegate.badges import hid
from edgegate.badges.hid import HidKeyboard, keyboards
from edgegate.badges.keys import LAYOUTS, Keystrokes
from edgegate.errors import EdgeGateError, ReaderLost
from tests.contracts.kit import said
from tests.contracts.test_reader import PipedKeyboard
from tests.scanner import (
    CAPS,
    CODES,
    ENTER,
    EV_KEY,
    EV_MSC,
    EV_SYN,
    KEYPAD,
    KEYPAD_ENTER,
    STROKES,
    SYN_DROPPED,
    SYN_REPORT,
    TAB,
    events,
    strokes,
)

ASCII = "".join(map(chr, range(0x20, 0x7F)))
CTRL, ALT, META = 0x01, 0x04, 0x08
AT = 1000.0
KEYBOARD_KEYS = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
"""What Linux says of a USB keyboard: /sys/class/input/eventN/device/capabilities/key."""
MOUSE_KEYS = "1f0000 0 0 0 0"


def typed(keystrokes: Keystrokes, data: bytes) -> list[str]:
    """The texts that these events complete."""
    return [
        text
        for seconds, micros, kind, code, value in hid._EVENT.iter_unpack(data)
        for text in keystrokes.event(kind, code, value, seconds + micros / 1e6)
    ]


def press(layout: str, *keys: tuple[int, int]) -> list[str]:
    """What these keys type on a keyboard of this layout."""
    return typed(Keystrokes(LAYOUTS[layout]), events(list(keys), AT))


def caps(text: str, layout: str) -> list[tuple[int, int]]:
    """Keys for a text in capitals, typed by CapsLock alone."""
    lower = [STROKES[layout][char.lower()] for char in text]
    return [(0, CAPS), *lower, (0, CAPS)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_character_is_typed(layout: str) -> None:
    """All printable ASCII, on both layouts, with Shift and AltGr where it takes them."""
    assert ASCII <= "".join(sorted(STROKES[layout]))
    assert [f"-{char}-" for char in ASCII] == press(
        layout, *(key for char in ASCII for key in strokes(f"-{char}-", layout))
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_keypad_is_the_same_on_every_layout(layout: str) -> None:
    """Whatever NumLock says: nobody moves a cursor with a badge."""
    keys = [(0, usage) for char, usage in KEYPAD.items() if char != "\n"]
    assert ["/*-+1234567890."] == press(layout, *keys, (0, KEYPAD_ENTER))


@pytest.mark.parametrize("end", [ENTER, TAB, KEYPAD_ENTER])
def test_what_ends_a_code(end: int) -> None:
    """Enter, that of the keypad, and Tab, as the scanner was set."""
    assert ["0042"] == press("us", *strokes("0042", "us", end=end))


def test_the_layout_must_be_the_scanners() -> None:
    """A French scanner read as a US one gives another text, and no badge: not one that happens to be right."""
    assert ["EG1:0042"] == press("fr", *strokes("EG1:0042", "fr"))
    assert ["EG!.))$@"] == press("us", *strokes("EG1:0042", "fr"))


def test_caps_lock() -> None:
    """Some scanners type capitals with CapsLock: letters only on a US keyboard, digits too on a French one."""
    assert ["EG"] == press("us", *caps("EG", "us"), (0, ENTER))
    assert ["EG1"] == press("us", (0, CAPS), *strokes("eg1", "us", end=0), (0, CAPS), (0, ENTER))
    assert ["EG1"] == press("fr", (0, CAPS), *strokes("eg&", "fr", end=0), (0, CAPS), (0, ENTER))
    assert ["Eg"] == press("us", (0, CAPS), *strokes("eG", "us", end=0), (0, CAPS), (0, ENTER))


def test_caps_lock_does_not_outlast_its_code() -> None:
    """Locked before Enter and unlocked after it, or never: the next code, later, is as it should be."""
    keystrokes = Keystrokes(LAYOUTS["us"])
    locked = [(0, CAPS), *strokes("eg", "us")]
    assert ["EG"] == typed(keystrokes, events([*locked, (0, CAPS)], AT))
    assert ["eg"] == typed(keystrokes, events(strokes("eg", "us"), AT + 0.1))
    assert ["EG"] == typed(keystrokes, events(locked, AT + 2))
    assert ["eg"] == typed(keystrokes, events(strokes("eg", "us"), AT + 5))


@pytest.mark.parametrize("modifier", [CTRL, ALT, META])
def test_a_shortcut_is_no_text(modifier: int) -> None:
    """Control, Alt and the logo key type nothing."""
    assert ["ab"] == press("us", STROKES["us"]["a"], (modifier, STROKES["us"]["x"][1]), *strokes("b", "us"))


def test_control_and_alt_together_are_alt_gr() -> None:
    """As on Windows, and as some scanners therefore send it."""
    assert ["@"] == press("fr", (CTRL | ALT, STROKES["fr"]["@"][1]), (0, ENTER))


def test_a_report_is_one_moment() -> None:
    """Shift counts for a key of the same report, whichever of the two the kernel lists first."""
    a, shift = CODES[STROKES["us"]["a"][1]], 42
    sequence = [
        [(EV_KEY, a, 1), (EV_KEY, shift, 1)],
        [(EV_KEY, a, 0), (EV_KEY, shift, 0)],
        [(EV_KEY, a, 1)],
        [(EV_KEY, 28, 1)],
    ]
    keystrokes = Keystrokes(LAYOUTS["us"])
    texts = [
        text
        for report in sequence
        for kind, code, value in [*report, (EV_SYN, SYN_REPORT, 0)]
        for text in keystrokes.event(kind, code, value, AT)
    ]
    assert ["Aa"] == texts


def test_a_key_held_down_types_once() -> None:
    """A scanner that stalls with a key down does not repeat it."""
    keystrokes = Keystrokes(LAYOUTS["us"])
    code = CODES[STROKES["us"]["7"][1]]
    for value in (1, 2, 2, 2, 0):
        keystrokes.event(EV_KEY, code, value, AT)
        keystrokes.event(EV_SYN, SYN_REPORT, 0, AT)
    assert ["7"] == typed(keystrokes, events([(0, ENTER)], AT))


def test_events_of_other_kinds_are_nothing() -> None:
    """Scan codes and lamps stand beside the keys."""
    keystrokes = Keystrokes(LAYOUTS["us"])
    for kind in (EV_MSC, 0x11, 0x14):
        assert [] == keystrokes.event(kind, 28, 1, AT)
    assert ["1"] == typed(keystrokes, events(strokes("1", "us"), AT))


@pytest.mark.parametrize("cut", [1, 3, 20])
def test_a_code_of_which_something_was_lost_is_no_code(cut: int) -> None:
    """The kernel dropped events: neither the beginning nor the rest is given, the next code is."""
    keystrokes = Keystrokes(LAYOUTS["us"])
    data = events(strokes("EG1:0042", "us"), AT)
    size = hid._EVENT.size
    lost = hid._EVENT.pack(int(AT), 0, EV_SYN, SYN_DROPPED, 0)
    assert [] == typed(keystrokes, data[: cut * size] + lost + data[(cut + 7) * size :])
    assert ["EG1:0042"] == typed(keystrokes, data)


def test_a_shift_whose_release_was_lost_does_not_stay() -> None:
    """What was held when events were dropped is not held for ever."""
    keystrokes = Keystrokes(LAYOUTS["us"])
    for kind, code, value in [(EV_KEY, 42, 1), (EV_SYN, SYN_DROPPED, 0), (EV_KEY, 42, 0), (EV_SYN, SYN_REPORT, 0)]:
        keystrokes.event(kind, code, value, AT)
    keystrokes.pause(AT + 2)
    assert ["a1"] == typed(keystrokes, events(strokes("a1", "us"), AT + 2))


def test_an_end_that_was_torn_off_ends_nothing() -> None:
    """Enter was pressed, then events were dropped: the next code may have lost its beginning among them."""
    keystrokes = Keystrokes(LAYOUTS["us"])
    for kind, code in [(EV_KEY, CODES[ENTER]), (EV_SYN, SYN_DROPPED), (EV_SYN, SYN_REPORT)]:
        assert [] == keystrokes.event(kind, code, 1, AT)
    assert [] == typed(keystrokes, events(strokes("0042", "us"), AT))
    assert ["0043"] == typed(keystrokes, events(strokes("0043", "us"), AT))


def test_half_a_code_is_forgotten_after_a_pause_alone() -> None:
    """By the events' own times: a machine that was busy for a second does not tear a code apart."""
    half, rest = events(strokes("EG1:", "us", end=0), AT), events(strokes("0042", "us"), AT + 0.9)
    keystrokes = Keystrokes(LAYOUTS["us"])
    assert ["EG1:0042"] == typed(keystrokes, half + rest)
    assert ["0042"] == typed(keystrokes, half + events(strokes("0042", "us"), AT + 1.1))


def device(
    folder: Path, number: int, *, id: str = "08ff:0009", keys: str = KEYBOARD_KEYS, port: str = "1", uniq: str = ""
) -> None:
    """An input device as /sys shows it, and its node."""
    vendor, product = id.split(":")
    files = {
        "name": "ACME Badge\x07 Reader",
        "phys": f"usb-0000:01:00.0-{port}/input{number % 2}",
        "uniq": uniq,
        "id/vendor": vendor,
        "id/product": product,
        "capabilities/key": keys,
    }
    for name, value in files.items():
        file = folder / "sys" / f"event{number}" / "device" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    (folder / "dev").mkdir(exist_ok=True)
    (folder / "dev" / f"event{number}").touch()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree in the place of /sys/class/input and /dev/input."""
    (tmp_path / "sys").mkdir()
    monkeypatch.setattr(hid, "SYSFS", tmp_path / "sys")
    monkeypatch.setattr(hid, "NODES", tmp_path / "dev")
    return tmp_path


def found(device: str) -> str:
    """The node that a reader of this device would open."""
    return HidKeyboard(device)._find().name


def test_a_reader_is_found_by_its_id(machine: Path) -> None:
    """Of several interfaces the one that types; not the mouse, not another maker's."""
    device(machine, 2, id="046d:c31c")
    device(machine, 9, keys=MOUSE_KEYS)
    device(machine, 10)
    device(machine, 11)
    (machine / "sys" / "mice").mkdir()
    assert "event10" == found("08ff:0009")
    assert "event10" == found("08FF:0009")
    assert "event2" == found("046d:c31c")
    assert ["event2", "event10", "event11"] == [keyboard.node.name for keyboard in keyboards()]
    assert "ACME Badge Reader" == keyboards()[0].name


@pytest.mark.parametrize("ports", [("1", "2", "", ""), ("1", "1", "A", "B")])
def test_two_of_a_kind_must_be_named_by_path(machine: Path, ports: tuple[str, str, str, str]) -> None:
    """Which of two scanners stands at which door, the gate does not guess."""
    device(machine, 3, port=ports[0], uniq=ports[2])
    device(machine, 4, port=ports[1], uniq=ports[3])
    with pytest.raises(ReaderLost) as caught:
        HidKeyboard("08ff:0009").open()
    assert "two of this kind" in said(caught.value)
    assert "by-id" in caught.value.next


def test_a_path_is_followed_at_every_opening(machine: Path) -> None:
    """Numbers change with every plug; links do not."""
    device(machine, 3)
    device(machine, 4)
    link = machine / "dev" / "by-id"
    link.symlink_to("event3")
    assert "event3" == found(str(link))
    link.unlink()
    link.symlink_to("event4")
    assert "event4" == found(str(link))


def test_a_path_to_a_mouse_is_no_reader(machine: Path) -> None:
    """It would open, and never type."""
    device(machine, 3, keys=MOUSE_KEYS)
    with pytest.raises(EdgeGateError, match="is no keyboard") as caught:
        HidKeyboard(str(machine / "dev" / "event3")).open()
    assert not isinstance(caught.value, ReaderLost)
    said(caught.value)


@pytest.mark.parametrize("name", ["08ff:0009", "/dev/input/by-id/usb-ACME-event-kbd"])
def test_a_reader_that_is_not_there(machine: Path, name: str) -> None:
    """Lost, not broken: it may be plugged in later."""
    with pytest.raises(ReaderLost, match="is not there"):
        HidKeyboard(name).open()


def test_what_is_no_input_device_is_refused(machine: Path) -> None:
    """The kernel's own answer to a grab of something else, in one line."""
    device(machine, 3)
    with pytest.raises(EdgeGateError, match="is no input device") as caught:
        HidKeyboard("08ff:0009").open()
    said(caught.value)
    assert [] == [fd for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd).endswith("event3")]


def test_a_device_that_vanishes_while_we_look(machine: Path) -> None:
    """Half a tree is no reason to fail."""
    device(machine, 3)
    device(machine, 4)
    (machine / "sys" / "event3" / "device" / "name").unlink()
    (machine / "sys" / "event4" / "device" / "id" / "vendor").write_text("")
    assert ["event4"] == [keyboard.node.name for keyboard in keyboards()]
    with pytest.raises(ReaderLost):
        found("08ff:0009")


def test_a_machine_without_input_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have none at all."""
    monkeypatch.setattr(hid, "SYSFS", tmp_path / "none")
    assert [] == keyboards()


def test_half_a_code_does_not_wait_in_memory(tmp_path: Path) -> None:
    """It may be most of a badge's key: after a pause it is gone, also when nothing follows."""
    reader, kernel = piped(tmp_path)
    os.write(kernel, events(strokes("EG1:0042", "us", end=0), time.monotonic()))
    assert "" == reader.read()
    assert b"EG1:0042" == reader._keys._draft._data
    for _ in range(3):
        assert "" == reader.read()
    assert b"" == reader._keys._draft._data
    reader.close()
    os.close(kernel)


def test_half_a_code_does_not_outlive_its_device(tmp_path: Path) -> None:
    """Closed and open again at once: what was half typed before is gone, and CapsLock with it."""
    reader, kernel = piped(tmp_path)
    os.write(kernel, events([(0, CAPS), *strokes("eg", "us", end=0)], time.monotonic()))
    assert "" == reader.read()
    reader.close()
    reader.open()
    os.write(kernel, events(strokes("0042ab", "us"), time.monotonic()))
    assert "0042ab" == reader.read()
    reader.close()
    os.close(kernel)


def test_a_device_that_is_gone_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's word for it; the reader can be closed all the same."""
    reader, kernel = piped(tmp_path)
    os.write(kernel, events(strokes("0042", "us"), time.monotonic()))

    def gone(fd: int, size: int) -> bytes:
        raise OSError(errno.ENODEV, "No such device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", gone)
        with pytest.raises(ReaderLost, match="was unplugged") as caught:
            reader.read()
    said(caught.value)
    reader.close()
    os.close(kernel)


def piped(folder: Path) -> tuple[PipedKeyboard, int]:
    """A keyboard that is open, and the end of its pipe that the kernel would write to."""
    os.mkfifo(folder / "event")
    kernel = os.open(folder / "event", os.O_RDWR)
    reader = PipedKeyboard(folder / "event", "us")
    reader.open()
    return reader, kernel
