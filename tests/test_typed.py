"""What typed codes have in common: lines, margins, and the events they become."""

from __future__ import annotations

import io

import pytest

from edgegate.badges.lines import LineReader
from edgegate.badges.typed import MAX_BYTES, PAUSE_S, Draft, TypedCodes, text_of
from edgegate.errors import EndOfCodes, ReaderLost
from edgegate.model import CodeSeen
from tests.contracts.kit import credential, keys

BADGE = keys().sign(credential())


def lines(data: bytes) -> list[str]:
    """Everything a stream gives until it ends."""
    reader = LineReader(io.BytesIO(data))
    texts = []
    while True:
        try:
            texts.append(reader.read())
        except EndOfCodes:
            return texts


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \t\n", b""])
def test_a_line_is_a_code(end: bytes) -> None:
    """With any line end; the last one needs none."""
    assert [BADGE] == lines(BADGE.encode() + end)


def test_blank_lines_are_nothing() -> None:
    """Nor is an empty stream."""
    assert ["a", "b"] == lines(b"\n\r\n a\n\n\x02b\x03\n \n")
    assert [] == lines(b"")


def test_a_line_without_end_is_cut() -> None:
    """Once, and the line after it is whole."""
    assert ["x" * MAX_BYTES, "0042"] == lines(b"x" * (3 * MAX_BYTES) + b"\n0042\n")
    assert ["x" * MAX_BYTES] == lines(b"x" * (3 * MAX_BYTES))


def test_bytes_that_are_no_text() -> None:
    """Noise becomes something that is no badge, and no error."""
    assert ["\ufffd\ufffd"] == lines(b"\xff\xfe\n")


@pytest.mark.parametrize("text", [BADGE, "0042", "a b", "EG1: $%*+-./:0"])
def test_margins_are_no_part_of_a_code(text: str) -> None:
    """STX, CR, blanks: what stands around a code goes, what stands inside stays."""
    assert text == text_of(f"\x02 {text} \r\n\x03".encode())


def test_a_draft_is_bounded() -> None:
    """In any number of pieces."""
    draft = Draft()
    for _ in range(3 * MAX_BYTES):
        draft.add(b"xy", 0.0)
    assert "xy" * (MAX_BYTES // 2) == draft.end()
    assert "" == draft.end()


def test_a_pause_ends_a_draft() -> None:
    """But a short one does not."""
    draft = Draft()
    draft.add(b"EG1:", 10.0)
    draft.pause(10.0 + PAUSE_S)
    draft.add(b"00", 10.0 + PAUSE_S)
    draft.pause(10.1 + 2 * PAUSE_S)
    draft.add(b"42", 10.1 + 2 * PAUSE_S)
    assert "42" == draft.end()


def test_a_spoilt_draft_ends_empty() -> None:
    """Up to its end, or a pause."""
    draft = Draft()
    draft.spoil(10.0)
    draft.add(b"42", 10.0)
    assert "" == draft.end()
    draft.add(b"0042", 10.0)
    assert "0042" == draft.end()
    draft.spoil(20.0)
    draft.pause(21.1)
    draft.add(b"0042", 21.1)
    assert "0042" == draft.end()


class Script:
    """A reader that gives what it is told to: a text, nothing, or an error."""

    name, endless = "script", True

    def __init__(self, *acts: str | Exception) -> None:
        self.acts, self.done = list(acts), list[str]()

    def open(self) -> None:
        self.done.append("open")

    def read(self) -> str:
        act = self.acts.pop(0)
        if isinstance(act, Exception):
            raise act
        return act

    def close(self) -> None:
        self.done.append("close")


def test_texts_become_events() -> None:
    """A badge of ours is credible; each reading is an act of its own; nothing read is no event."""
    reader = Script(BADGE, "", "0042")
    codes = TypedCodes(reader, keys().book())
    codes.open()
    badge, nothing, number = codes.next(), codes.next(), codes.next()
    codes.close()
    assert nothing is None
    assert isinstance(badge, CodeSeen)
    assert (BADGE, False, True) == (badge.code.text, badge.code.steady, badge.credible)
    assert isinstance(number, CodeSeen)
    assert ("0042", False, False) == (number.code.text, number.code.steady, number.credible)
    assert ["open", "close"] == reader.done
    assert ("script", True) == (codes.name, codes.endless)
    assert BADGE not in repr(badge)


@pytest.mark.parametrize("error", [ReaderLost("is gone"), EndOfCodes()])
def test_errors_pass_through(error: Exception) -> None:
    """The loop's thread is who deals with them."""
    with pytest.raises(type(error)):
        TypedCodes(Script(error), keys().book()).next()
