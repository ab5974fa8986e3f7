"""The report for a terminal, for a program, and as a page that the device's key signs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from shlex import join, quote
from textwrap import fill
from typing import Any

from edgegate.prove.page import element, page
from edgegate.prove.record import SIGNED
from edgegate.prove.report import Hand, Line, Report, Result
from edgegate.prove.words import Sentences
from edgegate.stores import Signer

KIND = "edgegate report 1"
MARK = "<!-- signature -->"
"""What is above this line is what the signed text holds the SHA-256 of."""
_WIDTH = 100
_SIGNS = {Result.HOLDS: "✓", Result.FAILS: "✗", Result.UNCHECKED: "○"}


def when(report: Report) -> str:
    """The moment, as 2026-11-30T12:00:00Z."""
    return f"{datetime.fromtimestamp(report.made, UTC):%Y-%m-%dT%H:%M:%SZ}"


def summary(report: Report, words: Sentences) -> str:
    """How many claims of each kind."""
    return words.page("summary", **{result.value: report.count(result) for result in Result})


def lines_of_text(report: Report, words: Sentences) -> Iterator[str]:
    """For a terminal. Commands stand at the margin, so that they can be copied whole."""
    yield words.page("title")
    yield _subtitle(report, words)
    for group, lines in groupby(report.lines, key=lambda line: line.group):
        yield f"\n{words.group(group).upper()}"
        for line in lines:
            yield ""
            yield fill(f"[{words.result(line.result)}] {words.claim(line)}", _WIDTH)
            if line.result is Result.PROMISE:
                continue
            yield fill(words.says(line), _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
            yield fill(f"{words.page('how')} {words.how(line)}", _WIDTH, initial_indent="  ", subsequent_indent="  ")
            if line.hand is not None:
                yield f"  {words.page('hand')} ({_prints(line.hand, words)})"
                yield line.hand.command
                if line.hand.prints:
                    yield f"  {words.page('prints')}"
                    yield line.hand.prints
    yield f"\n{summary(report, words)}"


def as_dict(report: Report, words: Sentences) -> dict[str, Any]:
    """For a program; its sentences are in the language of the words."""
    return {
        "gate": report.gate,
        "made": when(report),
        "version": report.version,
        "language": words.language,
        "counts": {result.value: report.count(result) for result in Result},
        "lines": [_line_as_dict(line, words) for line in report.lines],
    }


def _line_as_dict(line: Line, words: Sentences) -> dict[str, Any]:
    return {
        "name": line.name,
        "result": line.result.value,
        "claim": words.claim(line),
        "how": words.how(line),
        "says": words.says(line),
        "command": line.hand.command if line.hand else None,
        "prints": line.hand.prints if line.hand else None,
    }


def as_page(report: Report, words: Sentences, signer: Signer | None, unsigned: str = "") -> str:
    """One HTML document. Without a signer it says that it is not signed, and why."""
    parts = [element("h1", words.page("title")), element("p", _subtitle(report, words), "quiet")]
    parts.append(_counts(report, words))
    parts.append(element("p", words.page("about"), "note"))
    if failed := report.of(Result.FAILS):
        parts.append(element("h2", words.page("failed")))
        parts += [f"<p><b>{escape(words.claim(line))}</b><br>{escape(words.says(line))}</p>" for line in failed]
    parts.append(_overview(report, words))
    for group, lines in groupby(report.lines, key=lambda line: line.group):
        told = list(lines)
        if told[0].result is Result.PROMISE:
            items = "".join(element("li", words.claim(line)) for line in told)
            parts.append(f"{element('h2', words.page('promises'))}\n<ul>{items}</ul>")
        else:
            parts.append(element("h2", words.group(group)))
            parts += [_article(line, words) for line in told]
    whole = page(f"{words.page('title')} - {report.gate}", words.language, "\n".join(parts))
    above, end = whole.removesuffix("</body>\n</html>\n"), "</body>\n</html>\n"
    if signer is None:
        return f"{above}{MARK}\n{_unsigned(words, unsigned)}\n{end}"
    return f"{above}{MARK}\n{_signature(report, words, above, signer)}\n{end}"


def message(report: Report, above: str, device: str) -> str:
    """What is signed."""
    lines = (
        KIND,
        f"gate: {report.gate}",
        f"made: {when(report)}",
        f"fails: {report.count(Result.FAILS)}",
        f"sha256: {hashlib.sha256(above.encode('utf-8')).hexdigest()}",
        f"device: {device}",
    )
    return "".join(f"{line}\n" for line in lines)


def _subtitle(report: Report, words: Sentences) -> str:
    made = f"{datetime.fromtimestamp(report.made, UTC):%Y-%m-%d %H:%M} UTC"
    return words.page("subtitle", gate=report.gate, made=made, version=report.version)


def _counts(report: Report, words: Sentences) -> str:
    items = (
        f"<li><b>{report.count(result)}</b>{_SIGNS.get(result, '…')} {escape(words.result(result))}</li>"
        for result in Result
    )
    return f'<ul class="counts">{"".join(items)}</ul>'


def _overview(report: Report, words: Sentences) -> str:
    """Every claim with what became of it, on the first pages."""
    rows = []
    for group, lines in groupby(report.lines, key=lambda line: line.group):
        told = [line for line in lines if line.result is not Result.PROMISE]
        if told:
            rows.append(f'<tr><th colspan="2">{escape(words.group(group))}</th></tr>')
        rows += [
            f'<tr class="{line.result.value}"><td><a href="#{line.name}">{escape(words.claim(line))}</a></td>'
            f'<td class="sign">{_SIGNS[line.result]} {escape(words.result(line.result))}</td></tr>'
            for line in told
        ]
    return f"{element('h2', words.page('overview'))}\n<table>{''.join(rows)}</table>"


def _article(line: Line, words: Sentences) -> str:
    sign = f"{_SIGNS[line.result]} {words.result(line.result)}"
    parts = [
        element("span", sign, "sign"),
        element("p", words.claim(line), "claim"),
        element("p", words.says(line)),
        element("p", words.how(line), "quiet"),
    ]
    if line.hand is not None:
        parts.append(element("p", f"{words.page('hand')} ({_prints(line.hand, words)})", "label"))
        parts.append(element("pre", line.hand.command))
        if line.hand.prints:
            parts += [element("p", words.page("prints"), "label"), element("pre", line.hand.prints)]
    parts.append(element("span", line.name, "name"))
    return f'<article id="{line.name}" class="{line.result.value}">\n{chr(10).join(parts)}\n</article>'


def _prints(hand: Hand, words: Sentences) -> str:
    return words.page("prints").rstrip(" \u00a0:") if hand.prints else words.page("nothing")


def _unsigned(words: Sentences, reason: str) -> str:
    return f"{element('h2', words.page('signature'))}\n{element('p', words.page('unsigned', reason=reason))}"


def _signature(report: Report, words: Sentences, above: str, signer: Signer) -> str:
    text = message(report, above, signer.name)
    signature = base64.b64encode(signer.sign(text.encode("utf-8"))).decode("ascii")
    digest = hashlib.sha256(above.encode("utf-8")).hexdigest()
    command = "\n".join(
        (
            f"sed {quote(f'/^{MARK}$/,$d')} report.html | sha256sum",
            join(["printf", "%s\\n", *text.splitlines()]) + " > report.txt",
            f"echo {signature} | base64 -d > report.sig",
            "openssl pkeyutl -verify -pubin -inkey device.pub -rawin -in report.txt -sigfile report.sig",
        )
    )
    return "\n".join(
        (
            element("h2", words.page("signature")),
            element("p", words.page("signed", device=signer.name)),
            element("pre", command),
            element("p", words.page("prints"), "label"),
            element("pre", f"{digest}  -\n{SIGNED}"),
        )
    )
