"""What is told of a calibration, as text, JSON and a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from edgegate.calibration.evaluate import Report
from edgegate.calibration.measure import CURVE_POINTS, GroupFigures, GroupRates, farthest
from edgegate.calibration.page import html
from edgegate.calibration.plot import det
from edgegate.calibration.report import as_dict, farthest_off, sides, text
from edgegate.calibration.wording import fmr, gate_threshold, percent
from edgegate.rates import Rate, independent
from tests.calibration.kit import report


def grouped(made: Report) -> Report:
    """With three groups: one that fares badly, one as everybody, one of whom nothing is known."""
    rates = [independent(30, 400), independent(4, 400), independent(0, 0)]
    groups = [
        GroupFigures(name, 20, independent(1, 20), GroupRates(rate, rate), GroupRates(rate, rate))
        for name, rate in zip(("Year <1>", "Year 2", "Year 3"), rates, strict=True)
    ]
    return replace(made, figures=replace(made.figures, groups=groups))


def test_the_text_tells_all() -> None:
    """Amounts, thresholds with both rates, what is not supported and what it would take, the gate's threshold."""
    lines = list(text(report([3] * 30)))
    whole = "\n".join(lines)
    for expected in (
        "data          thin air: 90 pictures of 30 people",
        "not enrolled  0 of 30 people, 0.0 % (0.0 to 11.6)",
        "refused       1 no_face",
        "per pair: 90 genuine of 30 people, 3,915 impostor of 435 pairs of people; supports an FMR of 6.9e-03 and ",
        "  1.0e-04  needs 30,000 pairs of people (rule of three), here are 435",
        "threshold for the gate at FMR 0.01: 0.",
        "A presentation is simulated by the gate's own rule",
    ):
        assert expected in whole
    assert 2 * 3 == len([line for line in lines if re.match(r"  [\d.e-]+  0\.\d{4}     \d\.\de-0\d \(", line)])
    assert "Ana" not in whole


def test_too_little_data_is_said() -> None:
    """Few people: no threshold for the gate's rate, and the least that these data support."""
    threshold, words = gate_threshold(report([3] * 30, operating=1e-4).figures)
    assert (None, "no threshold for the gate at FMR 0.0001: these data support an FMR of 6.9e-03 at best") == (
        threshold,
        words,
    )
    assert "these data support no threshold" in gate_threshold(report([2, 2]).figures)[1]
    one_each = report([1] * 30)
    assert "these data support no threshold" in gate_threshold(one_each.figures)[1]
    assert any("not measured" in line for line in text(one_each))


def test_the_group_farthest_off_is_named() -> None:
    """By each rate and way of comparing, with its interval and whether chance may be behind it."""
    said = list(farthest_off(grouped(report([3] * 30))))
    assert 4 == len(said)
    assert said[0].startswith("farthest off, FMR per pair: Year <1>, 7.5e-02 (5.1e-02 to 1.1e-01) against ")
    assert said[0].endswith("; its interval does not hold the rate of all")
    assert (0, None) == (farthest([independent(1, 9), independent(0, 9), None]), farthest([None, independent(0, 0)]))
    clean = report([3] * 30)
    none = GroupRates(independent(0, 400), independent(0, 400))
    quiet = replace(clean, figures=replace(clean.figures, groups=[GroupFigures("A", 9, independent(0, 9), none, none)]))
    assert ["farthest off, FMR per pair: none, no group has an error"] == list(farthest_off(quiet))[:1]


def test_json_is_whole_and_strict() -> None:
    """Everything the text says, without NaN, without a file's name; curves included."""
    made = grouped(report([3] * 30))
    told = json.loads(json.dumps(as_dict(made), allow_nan=False))
    assert ("thin air", 90, 30, 0.01) == (told["data"], told["pictures"], told["people"], told["target_fmr"])
    assert gate_threshold(made.figures)[0] == told["threshold"]
    assert [300, 435, 3000, 30_000, 300_000] == [each["people_pairs_needed"] for each in told["per_pair"]["thresholds"]]
    assert {"no_face": 1} == told["refused"]
    assert {"rate": None, "errors": 0, "trials": 0, "low": 0.0, "high": 1.0} == told["groups"][2]["per_pair"]["fmr"]
    curve = told["per_presentation"]["det"]
    assert curve == sorted(curve, key=lambda point: (-point[0], point[1]))
    assert "Ana" not in json.dumps(told)


def test_the_page_stands_alone() -> None:
    """One file: no script, nothing from anywhere, every name escaped, all tables there."""
    page = html(grouped(report([3] * 30)))
    assert ("<script" in page, "http" in page.replace("http://www.w3.org/2000/svg", "")) == (False, False)
    assert "<td>Year &lt;1&gt;</td>" in page
    assert "Year <1>" not in page
    assert 5 == page.count("<table>") == page.count("</table>")
    assert "Ana" not in page
    ElementTree.fromstring(page.partition("\n")[2].replace('<meta charset="utf-8">', ""))


def test_the_plot_draws_what_the_data_support() -> None:
    """Three lines with three rhythms, within the frame, none below the least rate the data can show."""
    made = report([3] * 30)
    drawing = ElementTree.fromstring(det(sides(made)))
    lines = drawing.findall("{http://www.w3.org/2000/svg}polyline")
    assert 3 == len({line.get("stroke-dasharray") for line in lines}) == len({line.get("stroke") for line in lines})
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in (line.get("points") or "").split()]
        assert all(64 <= x <= 624 and 16 <= y <= 432 for x, y in points)
        assert points == sorted(points, reverse=True) or points == sorted(
            points, key=lambda point: (-point[0], point[1])
        )
        assert min(x for x, _ in points) >= 64 + 560 * 0.5  # 6.9e-3 is in the right half


def test_the_plot_reaches_the_least_rate() -> None:
    """The line begins at the FMR of the strictest threshold in the table, and at its FNMR; without a line, the legend
    says why."""
    side = report([3] * 30).figures.per_pair
    point = next(each for each in side.points if each.target == min(p.target for p in side.points if p.threshold))
    assert point.fmr is not None
    assert point.fnmr is not None
    least = min(fmr for fmr, _ in side.curve if fmr >= side.supports)
    assert least == pytest.approx(point.fmr.value, rel=0.1)
    assert min(fnmr for fmr, fnmr in side.curve if fmr == least) == pytest.approx(point.fnmr.value, abs=0.02)
    assert 50 < len(side.curve) <= CURVE_POINTS + 2
    poor = det(sides(report([2, 2])))
    assert 3 == poor.count(": too little data</text>")
    assert "too little data" not in det(sides(report([3] * 30)))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (Rate(3, 30_000, 2e-5, 2.9e-4), ("1.0e-04 (2.0e-05 to 2.9e-04)", "0.0 % (0.0 to 0.0)")),
        (Rate(0, 10, 0.0, 0.3085), ("0 (0 to 3.1e-01)", "0.0 % (0.0 to 30.9)")),
        (Rate(0, 0, 0.0, 1.0), ("not measured", "not measured")),
        (None, ("not measured", "not measured")),
    ],
)
def test_rates_in_words(rate: Rate | None, expected: tuple[str, str]) -> None:
    """A rate with its interval; what was not tried is not zero."""
    assert expected == (fmr(rate), percent(rate))
