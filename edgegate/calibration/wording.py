"""How figures are written: one way on the terminal and in the page."""

from __future__ import annotations

from edgegate.calibration.evaluate import Report
from edgegate.calibration.measure import Figures, Point, Side
from edgegate.calibration.statistics import RULE_OF_THREE
from edgegate.rates import Rate

NOT_TRIED = "not measured"


def fmr(rate: Rate | None) -> str:
    """As `9.9e-05 (4.4e-05 to 1.8e-04)`."""
    if rate is None or not rate.trials:
        return NOT_TRIED
    return f"{_small(rate.value)} ({_small(rate.low)} to {_small(rate.high)})"


def _small(rate: float) -> str:
    return f"{rate:.1e}" if rate else "0"


def percent(rate: Rate | None) -> str:
    """As `17.3 % (4.5 to 28.0)`."""
    if rate is None or not rate.trials:
        return NOT_TRIED
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def not_enrolled(figures: Figures) -> str:
    """How many people have no picture that enrolment takes."""
    rate = figures.not_enrolled
    return f"{rate.errors:,} of {rate.trials:,} people, {percent(rate)}"


def accuracy(figures: Figures) -> str:
    """As LFW's View 2 is reported; empty where the list has no folds."""
    found = figures.accuracy
    if found is None:
        return ""
    worst = f", {100 * found.at_worst(figures.uncompared):.2f} % if the others count as wrong"
    return (
        f"{100 * found.mean:.2f} % ± {100 * found.standard_error:.2f} (standard error) over {found.folds} folds, "
        f"{found.pairs:,} pairs compared{worst if figures.uncompared else ''}"
    )


def need(point: Point, side: Side) -> str:
    """What a target without threshold would take."""
    pairs = round(RULE_OF_THREE / point.target)
    return f"needs {pairs:,} pairs of people (rule of three), here are {side.people_pairs:,}"


def amount(side: Side) -> str:
    """How much was compared, and what it supports."""
    least = f"supports an FMR of {side.supports:.1e} and above" if side.people_pairs else "supports no FMR"
    return (
        f"{side.genuine:,} genuine of {side.genuine_people:,} people, {side.impostors:,} impostor "
        f"of {side.people_pairs:,} pairs of people; {least}"
    )


def gate_threshold(figures: Figures) -> tuple[float | None, str]:
    """The threshold the gate uses at the rate it is set to: the higher of the two; and in words."""
    sides = (figures.per_pair, figures.per_presentation)
    found = [point.threshold for side in sides for point in side.points if point.target == figures.operating]
    known = [threshold for threshold in found if threshold is not None]
    if len(known) == len(sides):
        return max(known), f"threshold for the gate at FMR {figures.operating:g}: {max(known):.4f}"
    least = max(side.supports for side in sides)
    what = f"these data support an FMR of {least:.1e} at best" if least < 1 else "these data support no threshold"
    return None, f"no threshold for the gate at FMR {figures.operating:g}: {what}"


def several_looks(figures: Figures) -> str:
    """What looking several times does to false matches at the threshold per pair."""
    first, several = figures.first_look_at_pair, figures.presentation_at_pair
    if first is None or several is None or not several.trials:
        return ""
    times = f", {several.value / first.value:.1f} times as many" if first.errors else ""
    return (
        f"at the threshold per pair for {figures.operating:g}, a first look alone lets {fmr(first)} of the impostors "
        f"pass, a whole presentation {fmr(several)}{times}"
    )


def refused(report: Report) -> str:
    """Reasons and how often."""
    return ", ".join(f"{count} {code}" for code, count in report.refused.items()) or "none"


def notes(report: Report) -> list[str]:
    """What these figures stand for, and what not."""
    looks = report.figures.looks
    drawn = (
        "each row of the list is one: its first picture is enrolled, its second is the first look, the same person's "
        "other pictures follow"
        if report.listed
        else "each enrolment photograph meets each person; each of the person's pictures is the first look once, the "
        "others follow"
    )
    return [
        f"A presentation is simulated by the gate's own rule (mean of the looks so far, accepted as soon as it reaches "
        f"the threshold): {drawn} in a random order, {looks} looks at most, never the enrolment photograph itself. "
        "Only people with two pictures to look at count.",
        "Pictures of different days differ more than what a camera sees within three seconds, so here further looks "
        "change more, for impostors and for the right person, than at a gate. On LFW: 1.4 to 2.5 times as many "
        "false matches with real pictures (three packs), 1.2 times with altered copies of one picture (one pack).",
        "Templates are of one photograph; the gate's may be of several. Genuine comparisons that failed to be enrolled "
        "or seen are counted apart, not as non-matches.",
        "Intervals are at 95 %: the wider of Clopper and Pearson's and the bootstrap's over people, since pairs share "
        "people. They do not cover what these pictures are not: your camera, your light, your students, their age.",
    ]
