"""The reader `stdin`: a line is a code."""

from __future__ import annotations

from typing import BinaryIO

from edgegate.badges.typed import MAX_BYTES, text_of
from edgegate.errors import EndOfCodes


class LineReader:
    """Port `Reader` over a binary stream that somebody else opened and closes."""

    name = "stdin"
    endless = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def open(self) -> None:
        """The stream is open already."""

    def read(self) -> str:
        """The next line that is not empty; waits until there is one."""
        while line := self._stream.readline(MAX_BYTES):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = self._stream.readline(MAX_BYTES)
            if text := text_of(line):
                return text
        raise EndOfCodes

    def close(self) -> None:
        """It belongs to somebody else."""
