"""Looking for bytes that must not be there any more, in files of any size and whatever their name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MIN_BYTES = 16
"""The shortest trace that can be looked for."""
_PIECE = 8
_CHUNK = 1 << 20


class Traces:
    """Finds every run of 16 bytes of any trace, wherever a file holds one.

    SQLite spreads a value over pages, so traces are cut into pieces of 8 bytes: any 16 bytes of a trace hold a whole
    one. By chance another file holds such a piece too: of 1,000 templates, once in some two million of 100 MB.
    """

    def __init__(self, traces: Iterable[bytes]) -> None:
        pieces = {trace[at : at + _PIECE] for trace in traces for at in range(0, len(trace) - _PIECE + 1, _PIECE)}
        # Somebody who writes zeros into a vault must not make every file look guilty.
        varied = [piece for piece in pieces if len(set(piece)) > _PIECE // 2 - 1]
        self._pieces: NDArray[np.int64] = np.sort(np.frombuffer(b"".join(varied), "<i8"))
        # Ciphertexts and hashes are random: a few bits of each half tell nearly every other word apart.
        bits = min(20, max(12, self._pieces.size.bit_length() + 4))
        self._mask = (1 << bits) - 1
        self._low, self._high = np.zeros(1 << bits, np.bool_), np.zeros(1 << bits, np.bool_)
        self._low[self._pieces & self._mask] = True
        self._high[self._pieces >> 32 & self._mask] = True

    def inside(self, path: Path) -> bool:
        """Does this file hold one? Raises OSError."""
        with path.open("rb") as stream:
            rest = b""
            while chunk := stream.read(_CHUNK):
                data = rest + chunk
                if self.within(data):
                    return True
                rest = data[-(_PIECE - 1) :]
        return False

    def within(self, data: bytes) -> bool:
        """Do these bytes hold one?"""
        if not self._pieces.size:
            return False
        for offset in range(min(_PIECE, len(data) - _PIECE + 1)):
            words = np.frombuffer(data, "<i8", (len(data) - offset) // _PIECE, offset)
            likely = words[self._low[words & self._mask]]
            likely = likely[self._high[likely >> 32 & self._mask]]
            at = np.minimum(np.searchsorted(self._pieces, likely), self._pieces.size - 1)
            if (self._pieces[at] == likely).any():
                return True
        return False
