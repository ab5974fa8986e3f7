"""The wiring picture: the pins of this configuration, each where it is on the board, and no wire meets another."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegate.config import Config
from edgegate.config_file import load
from edgegate.wiring import plan, sheet
from tests.commands import Cli, good, refusal
from tests.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"
PINOUT = {
    2: 3,
    3: 5,
    4: 7,
    17: 11,
    27: 13,
    22: 15,
    10: 19,
    9: 21,
    11: 23,
    0: 27,
    5: 29,
    6: 31,
    13: 33,
    19: 35,
    26: 37,
} | {**{14: 8, 15: 10, 18: 12, 23: 16, 24: 18, 25: 22, 8: 24, 7: 26, 1: 28, 12: 32, 16: 36, 20: 38, 21: 40}}
"""BCM number to pin, as printed on every pinout of the 40-pin header."""


def configured(name: str = "Porte A", **signals: Any) -> Config:
    return Config.model_validate({"gate": {"name": name}, "signals": signals})


def texts(config: Config) -> list[str]:
    """Every text of the picture, which is valid XML."""
    return [element.text or "" for element in ET.fromstring(sheet.draw(config)).iter(f"{SVG}text")]


def box(config: Config, pin: int) -> list[str]:
    """The texts of the box at a pin."""
    root = ET.fromstring(sheet.draw(config))
    group = root.find(f"{SVG}g[@id='pin-{pin}']")
    assert group is not None, f"nothing at pin {pin}"
    return [element.text or "" for element in group.iter(f"{SVG}text")]


def test_physical_numbers() -> None:
    """All 28 pins of a Raspberry Pi, as on every pinout; the rest is supply and ground."""
    assert PINOUT == {bcm: plan.physical(bcm) for bcm in range(28)}
    others = {pin.number: pin.name for pin in plan.header() if not pin.name.startswith("GPIO")}
    assert {1: "3V3", 17: "3V3", 2: "5V", 4: "5V"} | dict.fromkeys((6, 9, 14, 20, 25, 30, 34, 39), "GND") == others


def test_every_configured_pin_is_shown() -> None:
    """Each with its physical number, in the box of what hangs on it."""
    config = configured(pins="lgpio", relay=5)
    for pin, number, name in (
        (17, 11, "green light"),
        (27, 13, "amber light"),
        (22, 15, "red light"),
        (23, 16, "buzzer"),
        (24, 18, "acknowledge button"),
        (25, 22, "diary button"),
        (5, 29, "door relay"),
    ):
        assert [name, f"GPIO {pin} = pin {number}"] == box(config, pin)[:2]


def test_the_picture_follows_the_configuration() -> None:
    """Another pin, an active-low relay board, a passive buzzer, a pulse: each is to be seen."""
    plain, other = (
        configured(),
        configured(green=26, active_low=["green", "buzzer"], tone_hz=2500, relay=6, relay_s=0.5),
    )
    assert "GPIO 26 = pin 37" in box(other, 26)
    assert "GPIO 17 = pin 11" not in texts(other)
    assert ["active low: on at 0 V"] * 2 == [box(other, 26)[-1], box(other, 23)[-1]]
    assert "passive, 2500 Hz" in box(other, 23)
    assert "pulse of 0.5 s with green" in box(other, 6)
    assert "never in the way of leaving" in box(other, 6)
    assert [] == [text for text in texts(plain) if "active" in text or "passive" in text or "relay:" in text]
    assert "sounds by itself" in box(plain, 23)


def test_wiegand_lines_need_a_level_shifter() -> None:
    """5 V would destroy the board: both lines say so."""
    config = Config.model_validate({"badges": {"readers": [{"kind": "qr"}, {"kind": "wiegand", "d0": 20, "d1": 21}]}})
    for pin, number, line in ((20, 38, "D0"), (21, 40, "D1")):
        said = box(config, pin)
        assert [f"reader 2: Wiegand {line}", f"GPIO {pin} = pin {number}"] == said[:2]
        assert "5 V: only through a level shifter to 3.3 V" in " ".join(said)


def test_lines_of_a_chip_have_no_physical_number() -> None:
    """Which pin a line comes out at is the board's own secret."""
    config = configured(pins="gpiod:/dev/gpiochip1", green=300)
    assert ["green light", "gpiochip1 line 300"] == box(config, 300)[:2]
    assert [] == [text for text in texts(config) if "40-pin" in text or "= pin" in text]
    assert "gpiochip1" in texts(config)


def test_mock_pins_are_told() -> None:
    """The picture looks the same; a technician must not wait for the lights."""
    assert [True, False] == [
        any("pins: mock" in text for text in texts(configured(pins=pins))) for pins in ("mock", "lgpio")
    ]


def test_names_are_escaped() -> None:
    """A gate's name may hold whatever can be printed."""
    assert 'Wiring of <Porte> & "A" ]]>' in texts(configured('<Porte> & "A" ]]>'))


Segment = tuple[tuple[float, float], tuple[float, float]]


def wires(picture: str) -> list[list[Segment]]:
    """The wires' segments: each wire is horizontal, vertical, horizontal."""
    found = []
    for group in ET.fromstring(picture).findall(f"{SVG}g"):
        if group.get("id", "").startswith("pin-"):
            path = group.find(f"{SVG}path")
            assert path is not None
            x0, y0, x1, y1, x2 = map(float, re.split("[ HV]", path.get("d", "").removeprefix("M")))
            found.append([((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x2, y1))])
    return found


def meet(one: Segment, other: Segment) -> bool:
    """Do two upright or level segments touch?"""
    spans = zip(zip(*one, strict=True), zip(*other, strict=True), strict=True)
    return all(max(min(a), min(b)) <= min(max(a), max(b)) for a, b in spans)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 27), min_size=13, max_size=13, unique=True),
    st.sampled_from(["lgpio", "gpiod:/dev/gpiochip0"]),
)
def test_no_two_wires_meet(pins: list[int], factory: str) -> None:
    """Whatever the pins are; and every box keeps its distance from the next, inside the picture."""
    names = ("green", "amber", "red", "buzzer", "acknowledge", "diary", "relay")
    readers = [{"kind": "wiegand", "d0": pins[n], "d1": pins[n + 1]} for n in (7, 9, 11)]
    signals = dict(zip(names, pins, strict=False))
    config = Config.model_validate({"signals": {"pins": factory, **signals}, "badges": {"readers": readers}})
    picture = sheet.draw(config)
    drawn = wires(picture)
    assert 13 == len(drawn)
    for one, other in combinations(drawn, 2):
        assert not any(meet(a, b) for a in one for b in other)
    root = ET.fromstring(picture)
    height = float(root.get("height", "0"))
    ends = sorted(wire[-1][-1] for wire in drawn)
    assert all(sheet.TOP < y < height for _, y in ends)
    assert all(b[1] - a[1] >= sheet.BOX_STEP - 0.01 for a, b in pairwise(ends) if a[0] == b[0])


def test_the_documented_picture_is_that_of_the_example() -> None:
    """docs/wiring.svg is what the example's configuration draws."""
    expected = sheet.draw(load(ROOT / "config.example.yaml"))
    drawn = (ROOT / "docs" / "wiring.svg").read_text("utf-8")
    assert expected == drawn, "draw it again: edgegate wiring -c config.example.yaml --out docs/wiring.svg"


def test_the_command_draws(cli: Cli, tmp_path: Path) -> None:
    """To a file, again over its own picture, or to standard output; never over another file."""
    example, out = ROOT / "config.example.yaml", tmp_path / "wiring.svg"
    for _ in range(2):
        assert f"{out}: drawn\n" == good(cli("wiring", "-c", example, "--out", out))
    assert out.read_text("utf-8") == good(cli("wiring", "-c", example, "--out", "-"))
    config = tmp_path / "config.yaml"
    config.write_text("gate: {name: x}\n", "utf-8")
    assert "name a file that ends in .svg" in refusal(cli("wiring", "-c", config, "--out", config))
    assert "gate: {name: x}\n" == config.read_text("utf-8")
    assert "cannot be written" in refusal(cli("wiring", "-c", config, "--out", tmp_path / "none" / "x.svg"))


@pytest.mark.parametrize("pins", ["mock", "gpiod:/dev/gpiochip0"])
def test_colour_is_never_the_only_sign(pins: str) -> None:
    """In a picture without colours each light still has its name."""
    names = texts(configured(pins=pins))
    assert {"green light", "amber light", "red light"} <= set(names)
