"""The reader `stdin`: a line is a code. Scanners that type end each code with a line end."""

from __future__ import annotations

from typing import BinaryIO

from edgegate.model import Code, CodeSeen
from edgegate.ports import BadgeBook

MAX_LINE = 8192


class LineReader:
    """Reads codes from a binary stream, one line each; what exceeds MAX_LINE bytes of a line is dropped."""

    def __init__(self, stream: BinaryIO, book: BadgeBook) -> None:
        self._stream, self._book = stream, book

    def next(self) -> CodeSeen | None:
        """The next code; blocks until there is one. None when the stream has ended."""
        while line := self._stream.readline(MAX_LINE):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = self._stream.readline(MAX_LINE)
            text = line.decode("utf-8", "replace").strip()
            if text:
                return CodeSeen(Code(text, steady=False), credible=self._book.recognises(text))
        return None
