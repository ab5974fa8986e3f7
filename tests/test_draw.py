"""The drawn badge: what is printed is what is read."""

from __future__ import annotations

import io
import re
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
import zxingcpp
from PIL import Image as Pil

from edgegate.badges.decoders import PyzbarDecoder, ZxingDecoder
from edgegate.badges.draw import QUIET_ZONE, SIZE_MM, draw
from edgegate.errors import EdgeGateError
from edgegate.images import MAX_PIXELS
from edgegate.model import Credential, Image
from tests.contracts.kit import NOW, YEAR_S, credential, keys, said

KEYED = keys().sign(credential())
ON_BADGE = keys().sign(Credential("School", bytes(16), NOW, NOW + YEAR_S, None, bytes(range(256)) * 2 + bytes(153)))
"""A badge that carries a 512-dimensional template: 665 bytes."""
SIZES_MM = [25.0, SIZE_MM, 54.0, 85.6, 210.0, 500.0]
SVG = "{http://www.w3.org/2000/svg}"


def open_png(data: bytes) -> Pil.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pil.DecompressionBombWarning)  # how large it may be is tested below
        return Pil.open(io.BytesIO(data))


def pixels(data: bytes) -> Image:
    """A PNG in grey."""
    with open_png(data) as picture:
        return np.asarray(picture.convert("L"), np.uint8)


def svg_modules(data: bytes) -> Image:
    """Draw an SVG as segno writes it: a light square, and rows of dark strokes one module high. One pixel a module."""
    light, dark = (path.attrib["d"] for path in ElementTree.fromstring(data).iter(f"{SVG}path"))
    square = re.fullmatch(r"M0 0h([\d.]+)v\1h-\1z", light)
    assert square is not None
    side = round(float(square[1]))
    picture = np.full((side, side), 255, np.uint8)
    x = y = 0.0
    for command, text in re.findall(r"([Mmh])([^Mmh]+)", dark):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        if command == "h":
            picture[int(y - 0.5), int(x) : int(x + numbers[0])] = 0
            x += numbers[0]
        else:
            x, y = numbers if command == "M" else (x + numbers[0], y + numbers[1])
    return picture


def svg_scale(data: bytes) -> float:
    """Millimetres a module, from the page's size, its view box and the drawing's own scale."""
    root = ElementTree.fromstring(data)
    page = float(root.attrib["width"].removesuffix("mm"))
    view = [float(part) for part in root.attrib["viewBox"].split()]
    own = [float(found[0]) for part in root.iter() if (found := re.search(r"[\d.]+", part.get("transform", "")))]
    assert [0, 0, view[2], view[2]] == view
    return page / view[2] * float(np.prod(own))


@pytest.mark.parametrize("text", [KEYED, ON_BADGE], ids=["keyed", "on-badge"])
@pytest.mark.parametrize("reader", [ZxingDecoder, PyzbarDecoder])
def test_a_png_reads_as_the_badge(text: str, reader: type[ZxingDecoder] | type[PyzbarDecoder]) -> None:
    """Both decoders find the badge's text in the picture as it is written."""
    assert [text] == reader().decode(pixels(draw(text, ".png")), 0.0)


@pytest.mark.parametrize("reader", [ZxingDecoder, PyzbarDecoder])
def test_an_svg_reads_as_the_badge(reader: type[ZxingDecoder] | type[PyzbarDecoder]) -> None:
    """Drawn at four pixels a module, both decoders find the badge's text."""
    picture = np.kron(svg_modules(draw(KEYED, ".svg")), np.ones((4, 4), np.uint8))
    assert [KEYED] == reader().decode(picture, 0.0)


def test_png_and_svg_show_the_same_code() -> None:
    """Module for module."""
    modules = svg_modules(draw(KEYED, ".svg"))
    png = pixels(draw(KEYED, ".png"))
    scale = png.shape[0] // modules.shape[0]
    assert np.array_equal(np.kron(modules, np.ones((scale, scale), np.uint8)), png)


@pytest.mark.parametrize("text", [KEYED, ON_BADGE], ids=["keyed", "on-badge"])
def test_the_error_level_is_m(text: str) -> None:
    """Not L, whose scratches are lost, nor Q, whose modules are smaller."""
    (code,) = zxingcpp.read_barcodes(pixels(draw(text, ".png")))
    assert "M" == code.ec_level


def test_a_png_is_the_square_code_with_its_quiet_zone_and_nothing_else() -> None:
    """Four light modules on each side, then the finder patterns; black and white only."""
    png = pixels(draw(KEYED, ".png"))
    assert png.shape[0] == png.shape[1]
    assert {0, 255} == set(np.unique(png))
    dark = np.argwhere(png == 0)
    first, last = dark.min(axis=0), dark.max(axis=0)
    modules = svg_modules(draw(KEYED, ".svg")).shape[0]
    margin = QUIET_ZONE * png.shape[0] // modules
    assert 4 == QUIET_ZONE
    assert [margin, margin] == first.tolist()
    assert [png.shape[0] - margin - 1] * 2 == last.tolist()


@pytest.mark.parametrize("size_mm", SIZES_MM)
def test_an_svg_is_the_square_code_with_its_quiet_zone_and_nothing_else(size_mm: float) -> None:
    """Two paths and no word: no title, no number, no name. The light square reaches as far as the quiet zone."""
    data = draw(KEYED, ".svg", size_mm)
    root = ElementTree.fromstring(data)
    tags = [element.tag.removeprefix(SVG) for element in root.iter()]
    assert ["svg", "path", "path"] == [tag for tag in tags if tag != "g"]
    assert not "".join(root.itertext()).strip()
    modules = svg_modules(data)
    dark = np.argwhere(modules == 0)
    assert [QUIET_ZONE] * 2 == dark.min(axis=0).tolist()
    assert [modules.shape[0] - QUIET_ZONE - 1] * 2 == dark.max(axis=0).tolist()


@pytest.mark.parametrize("size_mm", SIZES_MM)
def test_a_png_has_the_size_asked_for(size_mm: float) -> None:
    """Pixels and dpi give the millimetres within one per cent, at a resolution fit for a print of that size."""
    with open_png(draw(KEYED, ".png", size_mm)) as picture:
        horizontal, vertical = picture.info["dpi"]
        assert pytest.approx(size_mm, rel=0.01) == picture.width / horizontal * 25.4
        assert pytest.approx(size_mm, rel=0.01) == picture.height / vertical * 25.4
        assert horizontal >= (300 if size_mm < 300 else 150)


@pytest.mark.parametrize("size_mm", SIZES_MM)
def test_a_png_is_small_enough_to_be_read_again(size_mm: float) -> None:
    """`enroll revoke badge.png` reads the picture it once wrote, and refuses more than so many pixels."""
    with open_png(draw(KEYED, ".png", size_mm)) as picture:
        assert picture.width * picture.height <= MAX_PIXELS


@pytest.mark.parametrize("size_mm", SIZES_MM)
def test_an_svg_has_the_size_asked_for(size_mm: float) -> None:
    """Page and drawing agree, in millimetres."""
    data = draw(KEYED, ".svg", size_mm)
    root = ElementTree.fromstring(data)
    assert root.attrib["width"].endswith("mm")
    assert root.attrib["height"] == root.attrib["width"]
    assert pytest.approx(size_mm) == float(root.attrib["width"].removesuffix("mm"))
    assert pytest.approx(size_mm) == svg_scale(data) * svg_modules(data).shape[0]


@pytest.mark.parametrize("text", [KEYED, ON_BADGE], ids=["keyed", "on-badge"])
@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("size_mm", [-40.0, 0.0, 15.0, 501.0, float("nan"), float("inf")])
def test_a_size_that_cannot_be_read_is_refused_with_one_that_can(text: str, suffix: str, size_mm: float) -> None:
    """Too small or absurdly large: one line, and the sizes it names do work."""
    with pytest.raises(EdgeGateError) as caught:
        draw(text, suffix, size_mm)
    found = re.search(r"use (\d+) mm or more, (\d+) at most", said(caught.value))
    assert found is not None
    smallest, largest = (float(number) for number in found.groups())
    assert largest == max(SIZES_MM)  # which is drawn above
    assert draw(text, suffix, smallest)
    with pytest.raises(EdgeGateError):
        draw(text, suffix, smallest - 1)


@pytest.mark.parametrize("suffix", ["", ".pdf", ".jpg", "png", ".PNG"])
def test_another_kind_of_picture_is_refused(suffix: str) -> None:
    """PNG and SVG are drawn; for others the endings that work are named."""
    with pytest.raises(EdgeGateError) as caught:
        draw(KEYED, suffix)
    assert ".png or .svg" in said(caught.value)
