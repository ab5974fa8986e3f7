"""The reader that looks for codes in the camera's pictures: QR, and what else the configuration allows."""

from __future__ import annotations

from edgegate.images import grey
from edgegate.memory import Wiped
from edgegate.model import Code, CodeSeen, Frame
from edgegate.ports import BadgeBook, Decoder

MAX_CODES = 8
"""More codes than this in one picture are not looked at."""


class QrReader:
    """Turns a frame into the codes in view. The loop decides which of them is news."""

    def __init__(self, decoder: Decoder, book: BadgeBook) -> None:
        self._decoder, self._book = decoder, book

    def scan(self, frame: Frame) -> list[CodeSeen]:
        """Signed badges first, so that a poster's code beside a badge does not stand in its way. Whether another text
        is a plain badge is the gate's to say, which asks the vault."""
        with Wiped() as wiped:
            texts = list(dict.fromkeys(self._decoder.decode(wiped(grey(frame.image)), frame.at)))[:MAX_CODES]
        seen = [CodeSeen(Code(text), credible=self._book.recognises(text)) for text in texts]
        return sorted(seen, key=lambda event: not event.credible)
