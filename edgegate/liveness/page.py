"""A liveness test as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from edgegate.liveness.report import HEADINGS, Report, facts, notes, rows

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .5em 0 1.5em; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #ccc; padding: .25em .8em; text-align: left; white-space: nowrap }
"""


def html(report: Report) -> str:
    """The whole page. It names packs and species; no person, no file."""
    body = ["<h1>Liveness test</h1>", _table((), facts(report)), "<h2>Per frame</h2>"]
    body.append(_table(HEADINGS, rows(report, by_presentation=False)))
    if report.presentations:
        body += ["<h2>Per presentation</h2>", _table(HEADINGS, rows(report, by_presentation=True))]
    body.append("<h2>What these figures stand for</h2>")
    body += [f"<p>{escape(note)}</p>" for note in notes(report)]
    if report.problems:
        body.append(f"<p>{len(report.problems)} file(s) or folder(s) were not used.</p>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Liveness test</title>'
        f"<style>{_STYLE}</style></head>\n<body>{''.join(body)}</body></html>\n"
    )


def _table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in lines)
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
