"""A calibration as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from edgegate.calibration import wording
from edgegate.calibration.evaluate import Report
from edgegate.calibration.measure import GroupRates, Side
from edgegate.calibration.plot import det
from edgegate.calibration.report import farthest_off, sides

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .5em 0 1.5em }
th, td { border-bottom: 1px solid #ccc; padding: .25em .8em; text-align: left; vertical-align: top }
th { white-space: nowrap }
table { font-variant-numeric: tabular-nums }
svg { max-width: 100%; height: auto }
"""


def html(report: Report) -> str:
    """The whole page. It names groups and the pack; no person, no file."""
    figures = report.figures
    facts = [
        ("pack", report.pack.id),
        ("data", f"{report.data}: {report.pictures:,} pictures of {report.people:,} people"),
        ("made", f"{report.made}, EdgeGate {report.version}"),
        ("not enrolled", wording.not_enrolled(figures)),
        ("pictures", f"{report.enrolled:,} can be enrolled, {report.seen:,} would be compared at the gate"),
        ("refused", wording.refused(report)),
    ]
    if figures.uncompared:
        facts.append(("rows without a face to compare", f"{figures.uncompared:,}"))
    if figures.accuracy is not None:
        facts.append(("accuracy", wording.accuracy(figures)))
    body = [
        f"<h1>Calibration of {escape(report.pack.name)}</h1>",
        _table((), facts),
        f"<p><strong>{escape(wording.gate_threshold(figures)[1])}</strong></p>",
        det(sides(report)),
        *(_side(name, side) for name, side in sides(report)),
        f"<p>{escape(wording.several_looks(figures))}</p>",
        _groups(report),
        "<h2>What these figures stand for</h2>",
        *(f"<p>{escape(note)}</p>" for note in wording.notes(report)),
    ]
    title = escape(f"Calibration of {report.pack.name}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>{''.join(body)}</body></html>\n"
    )


def _side(name: str, side: Side) -> str:
    rows = []
    for point in side.points:
        if point.threshold is None:
            rows.append((f"{point.target:.1e}", "none", wording.need(point, side), ""))
        else:
            rates = (wording.fmr(point.fmr), wording.percent(point.fnmr))
            rows.append((f"{point.target:.1e}", f"{point.threshold:.4f}", *rates))
    table = _table(("target FMR", "threshold", "FMR (95 %)", "FNMR (95 %)"), rows)
    return f"<h2>{escape(name.capitalize())}</h2><p>{escape(wording.amount(side))}</p>{table}"


def _groups(report: Report) -> str:
    if not report.figures.groups:
        return ""
    rows = [
        (group.name, str(group.people), wording.percent(group.not_enrolled), kind, *_rates(rates))
        for group in report.figures.groups
        for kind, rates in (("pair", group.per_pair), ("presentation", group.per_presentation))
    ]
    said = "".join(f"<p>{escape(line)}</p>" for line in farthest_off(report))
    titles = ("group", "people", "not enrolled", "per", "FMR among each other (95 %)", "FNMR (95 %)")
    return f"<h2>Groups, at the thresholds for {report.figures.operating:g}</h2>{_table(titles, rows)}{said}"


def _rates(rates: GroupRates | None) -> tuple[str, str]:
    return (wording.fmr(rates.fmr), wording.percent(rates.fnmr)) if rates else ("no threshold", "")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = f"<tr>{''.join(f'<th>{escape(title)}</th>' for title in titles)}</tr>" if titles else ""
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table>{head}{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
