"""Codes that readers type: how one is put together from its pieces, and how it reaches the loop."""

from __future__ import annotations

from edgegate.model import Code, CodeSeen
from edgegate.ports import BadgeBook, Reader

MAX_BYTES = 8192
"""What exceeds this of one code is dropped; no badge is longer than a quarter of it."""
PAUSE_S = 1.0
"""A code that has stopped for longer than this, up to one wait more, is over: what comes next is another one."""
WAIT_S = 0.5
"""How long a reader waits before it says that nothing came."""
_MARGINS = "".join(map(chr, (*range(0x21), 0x7F)))


def text_of(data: bytes | bytearray) -> str:
    """The text of one code, without the blanks and control characters (STX, CR…) that readers put around it.

    No signed badge ends in a blank: the last character of Base45 stands for a number below 33.
    """
    return data.decode("utf-8", "replace").strip(_MARGINS)


class Draft:
    """The code that is being typed. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0.0
        self._spoilt = False

    def add(self, piece: bytes, at: float) -> None:
        """The next piece of the code that is under way, or the first of a new one."""
        self._at = at
        if not self._spoilt:
            self._data += piece[: MAX_BYTES - len(self._data)]

    def end(self) -> str:
        """The code is complete: its text, or an empty one when nothing was typed or part of it was lost."""
        text = text_of(self._data)
        self.forget()
        return text

    def spoil(self, at: float) -> None:
        """Part of the code was lost: what is left of it is not a code either."""
        self._data.clear()
        self._at, self._spoilt = at, True

    def pause(self, now: float) -> None:
        """Nothing was typed until now: half a code must neither lie in memory nor join the next one."""
        if now - self._at > PAUSE_S:
            self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._data.clear()
        self._spoilt = False


class TypedCodes:
    """A reader whose texts become events: each is an act of its own, not a code that stays in view."""

    def __init__(self, reader: Reader, book: BadgeBook) -> None:
        self.name, self.endless = reader.name, reader.endless
        self._reader, self._book = reader, book

    def open(self) -> None:
        """Raises ReaderLost or EdgeGateError, as the reader does."""
        self._reader.open()

    def next(self) -> CodeSeen | None:
        """The next code, or None when none came for a while. Raises ReaderLost, EndOfCodes."""
        text = self._reader.read()
        return CodeSeen(Code(text, steady=False), credible=self._book.recognises(text)) if text else None

    def close(self) -> None:
        """May be called twice."""
        self._reader.close()
