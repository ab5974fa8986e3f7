"""Rubbish in codes and from readers that type: amber, red or nothing; never a traceback, never green."""

from __future__ import annotations

import io
import sys

import pytest
import segno

from edgegate.badges.credential import PREFIX
from tests.bad_input import NOISE, SHORT, played, record
from tests.commands import Cli
from tests.conftest import Site, blank

pytestmark = pytest.mark.usefixtures("same_signal_handlers")

TEXT = "".join("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"[byte % 45] for byte in NOISE)
LINES: dict[str, tuple[bytes, list[str]]] = {
    "noise": (NOISE.replace(b"\n", b""), []),
    "noise behind the prefix": (b"EG1:" + NOISE.replace(b"\n", b""), ["refer/unknown_badge"]),
    "base45 behind the prefix": (b"EG1:" + TEXT.encode(), ["refer/unknown_badge"]),
    "short base45": (b"EG1:" + TEXT[:600].encode(), ["alarm/forged"]),
    "only the prefix": (b"EG1:", ["alarm/forged"]),
    "a megabyte": (b"A" * 1_000_000, []),
    "a megabyte behind the prefix": (b"EG1:" + b"A" * 1_000_000, ["refer/unknown_badge"]),
    "zeros": (bytes(500), []),
    "zeros behind the prefix": (b"EG1:" + bytes(500), ["alarm/forged"]),
    "not text": (b"\xff\xfe\x80 \xc3\x28", []),
    "not text behind the prefix": (b"EG1:\xff\xfe\x80\xc3\x28", ["alarm/forged"]),
    "deep nesting": (b"EG1:" + b"8UU" * 500, ["alarm/forged"]),
    "empty lines": (b"\n\r\n \t\n", []),
}


def test_rubbish_typed_by_a_reader(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line can break the gate or open it, and the badge after it counts as ever."""
    badge = site.enrol(None).text.encode()
    record(site, [blank()] * 90)
    site.configure(badges={"readers": [{"kind": "stdin"}]}, camera={"source": "frames:frames", "fps": 5}, gate=SHORT)
    typed = b"".join(data + b"\n" + badge + b"\r\n" for data, _ in LINES.values())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed + b"EG1:no line end")))
    expected = [decision for _, decisions in LINES.values() for decision in (*decisions, "refer/not_enrolled")]
    assert [*expected, "alarm/forged"] == played(site, cli)


@pytest.mark.parametrize(
    ("text", "decoder", "expected"),
    [
        (PREFIX + TEXT[:4000], "zxing", ["refer/unknown_badge"]),
        (PREFIX + TEXT[:4000], "both", ["refer/unknown_badge"]),
        (PREFIX + TEXT[:1500], "pyzbar", ["alarm/forged"]),
        (TEXT[:4000], "zxing", []),
    ],
    ids=["4k", "4k-both", "1.5k-pyzbar", "foreign"],
)
def test_rubbish_in_a_code(site: Site, cli: Cli, text: str, decoder: str, expected: list[str]) -> None:
    """The largest QR code there is, full of noise: amber, red or nothing, never green."""
    out = io.BytesIO()
    segno.make(text, error="l", boost_error=False).save(out, kind="png", scale=4, border=4)
    record(site, [out.getvalue()] * 2)
    site.configure(
        badges={"readers": [{"kind": "qr", "decoder": decoder}]}, camera={"source": "frames:frames"}, gate=SHORT
    )
    assert expected == played(site, cli)


def test_a_closed_standard_input_is_no_fault_of_the_gate(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that types, and nothing there to type on: the gate says so or goes on without."""
    record(site, [blank()] * 3)
    site.configure(badges={"readers": [{"kind": "stdin"}]}, camera={"source": "frames:frames"})
    monkeypatch.setattr(sys, "stdin", None)
    code, _, err = cli("run", "--until-end", cwd=site.folder)
    assert code in (0, 2)
    assert len(err.splitlines()) == code // 2
