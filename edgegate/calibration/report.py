"""A calibration as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from edgegate.calibration import wording
from edgegate.calibration.evaluate import Report
from edgegate.calibration.measure import GroupRates, Side, farthest
from edgegate.rates import Rate

WIDTH = 100


def sides(report: Report) -> tuple[tuple[str, Side], ...]:
    """The three ways of comparing, and what they are called."""
    figures = report.figures
    return (
        ("per pair", figures.per_pair),
        ("first look of each presentation", figures.first_look),
        ("per presentation", figures.per_presentation),
    )


def text(report: Report) -> Iterator[str]:
    """Lines for a terminal."""
    figures = report.figures
    yield f"pack          {report.pack.id} ({report.pack.manifest.recogniser.metric})"
    yield f"data          {report.data}: {report.pictures:,} pictures of {report.people:,} people"
    yield f"not enrolled  {wording.not_enrolled(figures)}"
    yield f"              {report.enrolled:,} pictures can be enrolled, {report.seen:,} would be compared at the gate"
    yield f"refused       {wording.refused(report)}"
    if figures.uncompared:
        yield f"              {figures.uncompared:,} rows of the list have no face to compare"
    took = f"{report.embedding_s:.0f} s to embed with {report.jobs} jobs, {report.comparing_s:.0f} s to compare"
    yield f"time          {took}"
    for name, side in sides(report):
        yield ""
        yield f"{name}: {wording.amount(side)}"
        yield f"  {'target':<8} {'threshold':<10} {'FMR':<32} FNMR"
        for point in side.points:
            if point.threshold is None:
                yield f"  {point.target:<8.1e} {wording.need(point, side)}"
            else:
                rates = f"{wording.fmr(point.fmr):<32} {wording.percent(point.fnmr)}"
                yield f"  {point.target:<8.1e} {point.threshold:<10.4f} {rates}"
    yield ""
    if figures.accuracy is not None:
        yield f"accuracy      {wording.accuracy(figures)}"
    yield from filter(None, (wording.several_looks(figures),))
    yield wording.gate_threshold(figures)[1]
    yield from _groups(report)
    yield ""
    for note in wording.notes(report):
        yield from wrap(note, WIDTH)


def _groups(report: Report) -> Iterator[str]:
    figures = report.figures
    if not figures.groups:
        return
    yield ""
    yield f"groups, at the thresholds for {figures.operating:g}; false matches are among people of one group"
    yield f"  {'group':<16} {'people':>6}  {'not enrolled':<22} {'per':<13} {'FMR':<32} FNMR"
    for group in figures.groups:
        lead = f"  {group.name:<16} {group.people:>6}  {wording.percent(group.not_enrolled):<22}"
        for name, rates in (("pair", group.per_pair), ("presentation", group.per_presentation)):
            yield f"{lead} {name:<13} {_rates(rates)}"
            lead = " " * len(lead)
    yield from farthest_off(report)


def _rates(rates: GroupRates | None) -> str:
    return f"{wording.fmr(rates.fmr):<32} {wording.percent(rates.fnmr)}" if rates else "no threshold"


def farthest_off(report: Report) -> Iterator[str]:
    """Which group fares worst by each rate, with its interval, and whether that may be chance."""
    figures = report.figures
    for name, side, rates in (
        ("per pair", figures.per_pair, [group.per_pair for group in figures.groups]),
        ("per presentation", figures.per_presentation, [group.per_presentation for group in figures.groups]),
    ):
        whole = next((point for point in side.points if point.target == figures.operating), None)
        if whole is None or whole.fmr is None or whole.fnmr is None:
            continue
        for kind, write, all_of_them, found in (
            ("FMR", wording.fmr, whole.fmr, [None if each is None else each.fmr for each in rates]),
            ("FNMR", wording.percent, whole.fnmr, [None if each is None else each.fnmr for each in rates]),
        ):
            number = farthest(found)
            worst = found[number] if number is not None else None
            if number is None or worst is None:
                continue
            if not worst.errors:
                yield f"farthest off, {kind} {name}: none, no group has an error"
                continue
            yield (
                f"farthest off, {kind} {name}: {figures.groups[number].name}, {write(worst)} against "
                f"{write(all_of_them)} for all; {_chance(worst, all_of_them)}"
            )


def _chance(rate: Rate, whole: Rate) -> str:
    if rate.low <= whole.value <= rate.high:
        return "its interval holds the rate of all, so this may be chance"
    return "its interval does not hold the rate of all"


def as_dict(report: Report) -> dict[str, Any]:
    """For JSON: figures only, no file and no person."""
    figures = report.figures
    found = figures.accuracy
    return {
        "pack": report.pack.id,
        "detector_sha256": report.pack.manifest.detector.sha256,
        "recogniser_sha256": report.pack.manifest.recogniser.sha256,
        "metric": report.pack.manifest.recogniser.metric,
        "data": report.data,
        "made": report.made,
        "edgegate": report.version,
        "pictures": report.pictures,
        "people": report.people,
        "pictures_enrolled": report.enrolled,
        "pictures_seen": report.seen,
        "people_not_enrolled": figures.not_enrolled.as_dict(),
        "refused": report.refused,
        "rows_not_compared": figures.uncompared,
        "target_fmr": figures.operating,
        "threshold": wording.gate_threshold(figures)[0],
        "looks": figures.looks,
        "per_pair": _side(figures.per_pair),
        "first_look": _side(figures.first_look),
        "per_presentation": _side(figures.per_presentation),
        "presentation_at_pair_threshold": _maybe(figures.presentation_at_pair),
        "first_look_at_pair_threshold": _maybe(figures.first_look_at_pair),
        "accuracy": asdict(found) if found else None,
        "groups": [
            {
                "group": group.name,
                "people": group.people,
                "not_enrolled": group.not_enrolled.as_dict(),
                "per_pair": _group(group.per_pair),
                "per_presentation": _group(group.per_presentation),
            }
            for group in figures.groups
        ],
        "farthest_off": list(farthest_off(report)),
        "notes": wording.notes(report),
        "seconds": {"embedding": round(report.embedding_s, 1), "comparing": round(report.comparing_s, 1)},
        "jobs": report.jobs,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "genuine": side.genuine,
        "genuine_people": side.genuine_people,
        "impostor": side.impostors,
        "people_pairs": side.people_pairs,
        "supports_fmr": side.supports if side.people_pairs else None,
        "thresholds": [
            {
                "target_fmr": point.target,
                "threshold": point.threshold,
                "fmr": _maybe(point.fmr),
                "fnmr": _maybe(point.fnmr),
                "people_pairs_needed": math.ceil(3 / point.target - 1e-6),
            }
            for point in side.points
        ],
        "det": [[fmr, fnmr] for fmr, fnmr in side.curve],
    }


def _group(rates: GroupRates | None) -> dict[str, Any] | None:
    return {"fmr": rates.fmr.as_dict(), "fnmr": rates.fnmr.as_dict()} if rates else None


def _maybe(rate: Rate | None) -> dict[str, Any] | None:
    return rate.as_dict() if rate else None
