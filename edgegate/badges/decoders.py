"""Finding codes in a picture: `zxing` is fast, `pyzbar` reads some that zxing misses, `both` asks it second.

QR codes are always read, for signed badges. Other texts come out only of the symbologies that are asked for: that is
QR alone, unless plain numbers are allowed (`badges.formats`). A signed badge counts in whatever symbology it comes.

Measured at 1280 x 720: zxing 0.5-0.7 ms a picture for QR alone, pyzbar 27 ms (docs/decisions.md). With linear
symbologies, one or all, zxing takes about three times as long; with all there are, eight times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from edgegate.badges.credential import PREFIX
from edgegate.errors import EdgeGateError
from edgegate.model import Image
from edgegate.ports import Decoder

MAX_TEXT = 4296
"""The longest text a QR code can hold (version 40-L, alphanumeric)."""
TYPED = "typed"
"""The format of numbers that no camera reads."""
_QR = "qr"
_ZXING = {
    _QR: "QRCode",
    "code128": "Code128",
    "code39": "Code39Std",  # the extended kind would turn `+A` into `a`, which ZBar does not
    "codabar": "Codabar",
    "itf": "ITF",
    "ean13": "EAN13",  # UPC-A too, as the same 13 digits
    "ean8": "EAN8",
    "datamatrix": "DataMatrix",
    "aztec": "Aztec",
    "pdf417": "PDF417",
}
_PYZBAR = {
    _QR: "QRCODE",
    "code128": "CODE128",
    "code39": "CODE39",
    "codabar": "CODABAR",
    "ean13": "EAN13",
    "ean8": "EAN8",
}
"""ZBar finds a PDF417 but does not decode it, and gives wrong digits for an ITF, which nothing in the code checks."""


def _wanted(codes: Iterable[tuple[str, bool]], any_qr: bool) -> list[str]:
    """The texts to give out. `codes`: each text and whether it was a QR code; without `any_qr` those count only as
    signed badges."""
    return [text[:MAX_TEXT] for text, qr in codes if text and (any_qr or not qr or text.startswith(PREFIX))]


class ZxingDecoder:
    """zxing-cpp. `formats`: the symbologies, by their names in the configuration, whose texts come out."""

    name = "zxing"

    def __init__(self, formats: Collection[str] = (_QR,)) -> None:
        import zxingcpp

        kinds = zxingcpp.BarcodeFormat
        self._read, self._qr, self._any_qr = zxingcpp.read_barcodes, kinds.QRCode, _QR in formats
        self._formats = zxingcpp.BarcodeFormats([getattr(kinds, _ZXING[name]) for name in {_QR, *formats}])
        # What the code holds; the default would set GS1 numbers in brackets, as they are printed below it.
        self._mode = zxingcpp.TextMode.Plain

    def decode(self, grey: Image, now: float) -> list[str]:
        found = self._read(grey, formats=self._formats, text_mode=self._mode)
        return _wanted(((code.text, code.symbology == self._qr) for code in found), self._any_qr)


class PyzbarDecoder:
    """ZBar through pyzbar. `formats` as for zxing, but not all of them."""

    name = "pyzbar"

    def __init__(self, formats: Collection[str] = (_QR,)) -> None:
        if unread := sorted(set(formats) - set(_PYZBAR)):
            raise EdgeGateError(
                f"pyzbar does not serve for {', '.join(unread)}",
                where="badges.formats",
                next="choose decoder: zxing or both, or leave it out",
            )
        try:
            from pyzbar import pyzbar
        except ImportError:
            raise EdgeGateError(
                "the zbar library is missing",
                where="badges.readers: decoder",
                next="`apt install libzbar0`, or choose decoder: zxing",
            ) from None
        self._read, self._any_qr = pyzbar.decode, _QR in formats
        self._symbols = [pyzbar.ZBarSymbol[_PYZBAR[name]] for name in sorted({_QR, *formats})]

    def decode(self, grey: Image, now: float) -> list[str]:
        found = self._read(grey, symbols=self._symbols)
        return _wanted(((code.data.decode("utf-8", "replace"), code.type == "QRCODE") for code in found), self._any_qr)


class SecondOpinion:
    """`both`: asks the second decoder only where the first found nothing, and at most every `every_s`."""

    name = "both"

    def __init__(self, first: Decoder, second: Decoder, every_s: float = 0.5) -> None:
        self._first, self._second, self._every_s = first, second, every_s
        self._asked: float | None = None

    def decode(self, grey: Image, now: float) -> list[str]:
        if texts := self._first.decode(grey, now):
            return texts
        if self._asked is not None and now - self._asked < self._every_s:
            return []
        self._asked = now
        return self._second.decode(grey, now)


def decoder(name: str, formats: Collection[str] = ()) -> Decoder:
    """The decoder the configuration names, for `badges.formats`. Raises EdgeGateError where it cannot read one."""
    wanted = [known for known in formats if known != TYPED] or [_QR]
    if name == "zxing":
        return ZxingDecoder(wanted)
    if name == "pyzbar":
        return PyzbarDecoder(wanted)
    return SecondOpinion(ZxingDecoder(wanted), PyzbarDecoder([known for known in wanted if known in _PYZBAR]))
