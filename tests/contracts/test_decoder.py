"""Port `Decoder`: zxing, pyzbar, and both, on the same pictures."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
import zxingcpp

from edgegate.badges.decoders import SecondOpinion, decoder
from edgegate.badges.draw import draw
from edgegate.camera.stage import WIFI, code_image
from edgegate.errors import EdgeGateError
from edgegate.images import grey
from edgegate.model import Image
from edgegate.ports import Decoder
from tests.contracts.kit import credential, keys, said

BADGE = keys().sign(credential())
WIDTH, HEIGHT = 1280, 720
LINEAR = {
    "code128": ("Code128", "2026-0147"),
    "code39": ("Code39Std", "+A2026-0147"),
    "codabar": ("Codabar", "A20260147B"),
    "ean13": ("EAN13", "4006381333931"),
    "ean8": ("EAN8", "96385074"),
}
SQUARE = {"datamatrix": ("DataMatrix", "2026-0147"), "aztec": ("Aztec", "2026-0147"), "pdf417": ("PDF417", "2026-0147")}
PRINTED = {**LINEAR, **SQUARE, "itf": ("ITF", "20260147"), "qr": ("QRCode", "2026-0147")}
"""By name in the configuration: zxing's name, and a number that such a code can hold. pyzbar serves for `LINEAR`."""


@pytest.fixture(params=["zxing", "pyzbar", "both"])
def reader(request: pytest.FixtureRequest) -> Decoder:
    """Each decoder the configuration can name."""
    return decoder(request.param)


@cache
def badge() -> Image:
    """A real signed badge as it is printed, in grey."""
    return np.asarray(cv2.imdecode(np.frombuffer(draw(BADGE, ".png"), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def view(code: Image, width: int, *, degrees: float = 0.0, x: float = 0.5, onto: Image | None = None) -> Image:
    """A camera's picture with a code in it, `width` pixels wide and turned."""
    picture = np.full((HEIGHT, WIDTH), 150, np.uint8) if onto is None else onto
    # Resized first: a warp alone would skip pixels, as no camera does.
    small = cv2.resize(code, (width, width), interpolation=cv2.INTER_AREA)
    move = np.asarray(cv2.getRotationMatrix2D((width / 2, width / 2), degrees, 1.0), np.float64)
    move[:, 2] += np.array((x * WIDTH - width / 2, HEIGHT / 2 - width / 2))
    warped = cv2.warpAffine(small, move, (WIDTH, HEIGHT), dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
    return np.asarray(warped, np.uint8)


@pytest.mark.parametrize("width", [200, 300, 450, 700])
def test_a_signed_badge_is_read_at_every_distance(reader: Decoder, width: int) -> None:
    """From a fifth of the picture's width to all of its height, the text is the badge's own."""
    assert [BADGE] == reader.decode(view(badge(), width), 0.0)


@pytest.mark.parametrize("degrees", [7, 45, 90, 180, 250])
def test_a_badge_is_read_however_it_is_held(reader: Decoder, degrees: float) -> None:
    """Cards are held askew and upside down."""
    assert [BADGE] == reader.decode(view(badge(), 400, degrees=degrees), 0.0)


def test_two_codes_in_view_are_both_read(reader: Decoder) -> None:
    """A poster's code beside a badge: the reader sees both, in no stated order."""
    picture = view(grey(code_image(WIFI)), 350, x=0.75, onto=view(badge(), 420, x=0.25))
    assert sorted([BADGE, WIFI]) == sorted(reader.decode(picture, 0.0))


def test_a_code_that_is_no_badge_is_read_too(reader: Decoder) -> None:
    """Telling badges from others is not the decoder's work."""
    assert [WIFI] == reader.decode(view(grey(code_image(WIFI)), 300), 0.0)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_nothing_in_view_is_nothing(reader: Decoder, value: int) -> None:
    """Darkness, a wall, and a lamp in the lens."""
    assert [] == reader.decode(np.full((HEIGHT, WIDTH), value, np.uint8), 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_nothing(reader: Decoder, seed: int) -> None:
    """Random pixels hold no code."""
    noise = np.random.default_rng(seed).integers(0, 256, (240, 320), np.uint8)
    assert [] == reader.decode(noise, 0.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_the_smallest_pictures_are_no_error(reader: Decoder, shape: tuple[int, int]) -> None:
    """A frame of one pixel, row or column is a picture with nothing in it."""
    assert [] == reader.decode(np.zeros(shape, np.uint8), 0.0)


def test_a_picture_is_left_as_it_was(reader: Decoder) -> None:
    """The face side looks at the same frame afterwards."""
    picture = view(badge(), 400)
    before = picture.copy()
    reader.decode(picture, 0.0)
    assert np.array_equal(before, picture)


def test_the_same_picture_gives_the_same_texts(reader: Decoder) -> None:
    """A code still in view is recognised by its text; seconds later it is the same."""
    picture = view(badge(), 400)
    assert [[BADGE]] * 3 == [reader.decode(picture, float(second)) for second in range(3)]


def printed(kind: str, text: str = "", *, gs1: bool = False, degrees: float = 0.0) -> Image:
    """A camera's picture of a printed code of this kind, a little blurred."""
    name, number = PRINTED[kind]
    made = zxingcpp.create_barcode(
        text or number, getattr(zxingcpp.BarcodeFormat, name), **({"gs1": True} if gs1 else {})
    )
    code = np.array(made.to_image(scale=4, add_quiet_zones=True))
    height, width = code.shape
    move = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), np.float64)
    move[:, 2] += np.array((WIDTH / 2 - width / 2, HEIGHT / 2 - height / 2))
    picture = np.full((HEIGHT, WIDTH), 150, np.uint8)
    cv2.warpAffine(code, move, (WIDTH, HEIGHT), dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8)


@pytest.mark.parametrize("degrees", [0, 6, 90, 180])
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in ("zxing", "both") for kind in PRINTED] + [("pyzbar", kind) for kind in (*LINEAR, "qr")],
)
def test_the_symbologies_asked_for_are_read(name: str, kind: str, degrees: float) -> None:
    """Each alone and beside others, level, tilted (no further for PDF417), on its side, upside down."""
    number = PRINTED[kind][1]
    for formats in ([kind], ["typed", kind, "code128"]):
        reader = decoder(name, formats)
        assert [number] == reader.decode(printed(kind, degrees=degrees), 0.0)
        assert [BADGE] == reader.decode(view(badge(), 400, degrees=degrees), 9.0)


@pytest.mark.parametrize("kind", PRINTED)
@pytest.mark.parametrize("name", ["zxing", "pyzbar", "both"])
def test_no_other_symbology_comes_out(name: str, kind: str) -> None:
    """Not when none is asked for, nor beside one that is; of QR codes only signed badges do."""
    others = [other for other in PRINTED if other != kind and (name != "pyzbar" or other in (*LINEAR, "qr"))]
    assert [] == decoder(name, others).decode(printed(kind), 0.0)
    for formats in ([], ["typed"]):
        found = decoder(name, formats).decode(printed(kind), 0.0)
        assert found == ([PRINTED[kind][1]] if kind == "qr" else [])


@pytest.mark.parametrize("name", ["zxing", "both"])
@pytest.mark.parametrize("kind", SQUARE)
def test_a_signed_badge_counts_in_any_symbology(name: str, kind: str) -> None:
    """Its signature makes it one, not the pattern that carries it."""
    assert [BADGE] == decoder(name, [kind]).decode(printed(kind, BADGE), 0.0)


@pytest.mark.parametrize("name", ["zxing", "pyzbar", "both"])
def test_a_long_thin_number_is_read_as_the_code_holds_it(name: str) -> None:
    """GS1's brackets are print, not content; every decoder gives the same, so one card is one number."""
    picture = printed("code128", "(01)09501101530003(10)AB(21)7", gs1=True)
    assert ["010950110153000310AB\x1d217"] == decoder(name, ["code128"]).decode(picture, 0.0)


@pytest.mark.parametrize("name", ["zxing", "pyzbar", "both"])
def test_an_american_products_number_has_thirteen_digits(name: str) -> None:
    """UPC-A is an EAN-13 that begins with 0, for every decoder."""
    made = zxingcpp.create_barcode("012345678905", zxingcpp.BarcodeFormat.UPCA).to_image(scale=3, add_quiet_zones=True)
    assert ["0012345678905"] == decoder(name, ["ean13"]).decode(np.array(made), 0.0)


@pytest.mark.parametrize("kind", [*SQUARE, "itf"])
def test_pyzbar_alone_says_what_it_does_not_serve_for(kind: str) -> None:
    """One line at the start, not a card that is never read; `both` leaves those to zxing."""
    with pytest.raises(EdgeGateError) as caught:
        decoder("pyzbar", ["code128", kind])
    assert f"badges.formats: pyzbar does not serve for {kind}; choose decoder: zxing or both" in said(caught.value)
    assert [PRINTED[kind][1]] == decoder("both", [kind]).decode(printed(kind), 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_bars_are_not_seen_in_noise(seed: int) -> None:
    """Everything asked for, and nothing there: stripes, noise and a badge's own pattern give no number."""
    dice = np.random.default_rng(seed)
    noise = dice.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    stripes = np.repeat(dice.integers(0, 2, (1, WIDTH), np.uint8) * 255, HEIGHT, axis=0)
    for reader in (decoder("zxing", list(PRINTED)), decoder("pyzbar", list(LINEAR))):
        assert [] == reader.decode(noise, 0.0)
        assert [] == reader.decode(np.ascontiguousarray(stripes), 0.0)
        assert [BADGE] == reader.decode(view(badge(), 300 + 50 * seed), 0.0)


class Told:
    """A decoder that finds what it is told to, and remembers when it was asked."""

    def __init__(self, name: str, texts: list[str]) -> None:
        self.name, self.texts, self.asked = name, texts, list[float]()

    def decode(self, grey: Image, now: float) -> list[str]:
        self.asked.append(now)
        return self.texts


def test_the_second_is_not_asked_where_the_first_has_found_something() -> None:
    """`both` spends the slow decoder's time only on pictures the fast one finds empty."""
    first, second = Told("first", ["a"]), Told("second", ["b"])
    opinion = SecondOpinion(first, second)
    assert [["a"]] * 3 == [opinion.decode(badge(), float(now)) for now in range(3)]
    assert [] == second.asked


def test_the_second_is_asked_at_most_every_half_second() -> None:
    """At 20 frames a second with nothing found, the second decoder sees every tenth."""
    first, second = Told("first", []), Told("second", ["b"])
    opinion = SecondOpinion(first, second)
    times = [100 + frame / 20 for frame in range(31)]
    found = [now for now in times if opinion.decode(badge(), now) == ["b"]]
    assert times == first.asked
    assert [100.0, 100.5, 101.0, 101.5] == second.asked == found


def test_what_the_first_finds_does_not_use_up_the_seconds_turn() -> None:
    """The half second counts from the last time the second was asked, not from the last frame."""
    first, second = Told("first", ["a"]), Told("second", ["b"])
    opinion = SecondOpinion(first, second)
    opinion.decode(badge(), 0.0)
    first.texts = []
    assert ["b"] == opinion.decode(badge(), 0.1)
    assert [0.1] == second.asked


def test_the_second_opinion_reads_what_the_first_misses() -> None:
    """With the real second decoder behind a blind first, the badge is read."""
    opinion = SecondOpinion(Told("blind", []), decoder("pyzbar"))
    assert [BADGE] == opinion.decode(view(badge(), 400), 0.0)
