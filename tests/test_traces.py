"""Looking for bytes: any sixteen of them, wherever they lie, in files of any size, and nothing else."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegate import traces
from edgegate.traces import Traces


def noise(count: int, seed: str = "") -> bytes:
    """So many bytes that are nowhere else; the same each time."""
    return hashlib.shake_256(f"noise {seed}".encode()).digest(count)


TRACE = noise(540)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 524), st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 99))
def test_any_sixteen_bytes_are_found(at: int, before: int, after: int, others: int) -> None:
    """Of whichever trace, at whatever offset, alone or among many."""
    looked_for = Traces([TRACE, *(noise(32, str(number)) for number in range(others))])
    hay = noise(before, "before"), noise(after, "after")
    assert looked_for.within(hay[0] + TRACE[at : at + 16] + hay[1])
    assert not looked_for.within(hay[0] + hay[1])
    assert not looked_for.within(hay[0] + bytes(reversed(TRACE)) + hay[1])


@pytest.mark.parametrize("shift", range(-20, 4))
def test_what_lies_across_two_readings_is_found(shift: int, tmp_path: Path) -> None:
    """A file is read in pieces; what is looked for may begin in one and end in the next."""
    path = tmp_path / "file"
    path.write_bytes(bytes(traces._CHUNK + shift) + TRACE[100:116] + bytes(50))
    assert Traces([TRACE]).inside(path)
    path.write_bytes(bytes(traces._CHUNK + shift) + TRACE[100:107] + bytes(50))
    assert not Traces([TRACE]).inside(path)


@pytest.mark.parametrize("data", [b"", b"x", TRACE[:7], TRACE[1:8], bytes(100)])
def test_too_little_is_nothing(data: bytes, tmp_path: Path) -> None:
    """Empty and tiny files hold nothing, and no trace at all is in no file."""
    path = tmp_path / "file"
    path.write_bytes(data)
    assert not Traces([TRACE]).inside(path)
    assert not Traces([]).inside(path)
    assert not Traces([b"", b"short"]).inside(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Never a file that holds nothing."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError):
            Traces([TRACE]).inside(path)


def test_zeros_in_a_vault_do_not_make_every_file_guilty() -> None:
    """Whoever fills a row with zeros, or a few letters, hides no template and blocks no receipt."""
    looked_for = Traces([bytes(540), b"\xff" * 32, b"ab" * 40, TRACE])
    assert not looked_for.within(bytes(5000) + b"\xff" * 5000 + b"ab" * 5000)
    assert looked_for.within(bytes(5000) + TRACE[300:316])


def test_large_files_take_little_memory(tmp_path: Path) -> None:
    """A hundred megabytes and a thousand templates: a few of them at a time, and what is at the end is found."""
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.seek(100_000_000)
        stream.write(noise(540, "7"))
    tracemalloc.start()
    try:
        assert Traces(noise(540, str(number)) for number in range(1000)).inside(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
