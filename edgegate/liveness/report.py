"""What `edgegate liveness test` found, as rows for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from edgegate.liveness.evaluation import MAX_LOOKS, Tally
from edgegate.liveness.fused import MIN_LOOKS
from edgegate.ports import LivenessVerdict
from edgegate.rates import Rate

ADVICE = (
    "These figures hold for these pictures. Liveness is advice to a supervisor unless it was measured on the camera, "
    "in the light and against the attacks of the very gate: it does not carry over to others."
)
NIST_RESISTANCE = 0.9
"""NIST SP 800-63B-4 (draft) asks that nine of ten attacks of each species are resisted."""


@dataclass(slots=True)
class Report:
    """One test: on what, by what, and what came of it."""

    data: str
    engine: str
    live_at: float
    spoof_below: float
    detector: str
    made: str
    version: str
    with_cues: bool
    bona_fide: Tally = field(default_factory=Tally)
    attacks: dict[str, Tally] = field(default_factory=dict)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    """Width and height of the pictures."""
    problems: list[str] = field(default_factory=list)
    """One line for each thing that was not used. They name files: shown, and in no file that is written."""

    @property
    def presentations(self) -> bool:
        """Were there sequences, which alone are presentations?"""
        return any(tally.presentations for tally in (self.bona_fide, *self.attacks.values()))

    def worst(self, *, by_presentation: bool) -> tuple[str, Rate] | None:
        """The species that passes most often; among equals, the one less often tried."""
        rates = [(name, tally.taken_for_live()[by_presentation]) for name, tally in sorted(self.attacks.items())]
        tried = [(name, rate) for name, rate in rates if rate.trials]
        return max(tried, key=lambda each: (each[1].value, each[1].high)) if tried else None

    def resisted(self) -> bool:
        """Do these presentations show, at 95 %, what NIST asks of each species?"""
        rates = [tally.taken_for_live()[1] for tally in self.attacks.values()]
        return bool(rates) and all(rate.trials and 1 - rate.high >= NIST_RESISTANCE for rate in rates)


def percent(rate: Rate) -> str:
    """As `12.5 % (0.3 to 52.7)`."""
    if not rate.trials:
        return "not measured"
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


HEADINGS = ("", "no response (95 %)", "errors", "rate (95 %)")


def rows(report: Report, *, by_presentation: bool) -> Iterator[tuple[str, str, str, str]]:
    """The table of frames or of presentations, below `HEADINGS`."""
    sides = [("BPCER bona fide", report.bona_fide, report.bona_fide.taken_for_attack())]
    sides += [(f"APCER {name}", tally, tally.taken_for_live()) for name, tally in sorted(report.attacks.items())]
    for title, tally, rates in sides:
        rate, silent = rates[by_presentation], tally.no_response()[by_presentation]
        if silent.trials:
            yield title, percent(silent), f"{rate.errors} of {rate.trials}", percent(rate)


def facts(report: Report) -> list[tuple[str, str]]:
    """What was measured on what."""
    sizes = ", ".join(f"{width} x {height}" for width, height in sorted(report.sizes)[:4])
    more = f" and {len(report.sizes) - 4} other sizes" if len(report.sizes) > 4 else ""
    found = [
        ("liveness", f"{report.engine}: live from {report.live_at:g}, spoof below {report.spoof_below:g}"),
        ("faces by", report.detector),
        ("data", f"{report.data}, pictures of {sizes or 'no size'}{more}"),
        ("made", f"{report.made}, EdgeGate {report.version}"),
    ]
    if report.presentations:
        found.insert(2, ("cues", "as at the gate" if report.with_cues else "left out: the engine alone"))
    return found


def notes(report: Report) -> Iterator[str]:
    """What the figures mean, and what they do not."""
    for by_presentation in (False, True):
        worst = report.worst(by_presentation=by_presentation)
        if worst is not None:
            unit = "presentation" if by_presentation else "frame"
            name, rate = worst
            yield f"worst species per {unit}: {name}, APCER {percent(rate)}"
            if by_presentation:
                shown = "is shown" if report.resisted() else "is not shown"
                yield f"that {100 * NIST_RESISTANCE:.0f} % of each species' attacks are resisted {shown} by these data"
    if not report.attacks:
        yield "no attack was tried: nothing is known of APCER"
    if not report.bona_fide.frames:
        yield "no bona fide presentation was tried: nothing is known of BPCER"
    if report.presentations:
        yield "frames of one presentation are not independent: their intervals are too narrow"
        yield (
            f"a presentation is judged as at the gate: from {MIN_LOOKS} answers on, in {MAX_LOOKS} looks at most, "
            "and let pass as soon as it is live"
        )
    else:
        yield "pictures only: nothing is known of whole presentations; give folders of frames, or videos"
    yield ADVICE


def as_dict(report: Report) -> dict[str, Any]:
    """For JSON; rates that were not measured are null."""
    found: dict[str, Any] = {
        "data": report.data,
        "liveness": {"pack": report.engine, "live_at": report.live_at, "spoof_below": report.spoof_below},
        "faces": report.detector,
        "with_cues": report.with_cues,
        "sizes": [list(size) for size in sorted(report.sizes)],
        "made": report.made,
        "version": report.version,
        "bona_fide": _side(report.bona_fide, "bpcer", report.bona_fide.taken_for_attack(), "bpnrr"),
        "attacks": {
            name: _side(tally, "apcer", tally.taken_for_live(), "apnrr") for name, tally in report.attacks.items()
        },
        "notes": list(notes(report)),
        "not_used": len(report.problems),
    }
    for key, by_presentation in (("frames", False), ("presentations", True)):
        worst = report.worst(by_presentation=by_presentation)
        found[f"worst_{key}"] = None if worst is None else {"species": worst[0], **worst[1].as_dict()}
    return found


def _side(tally: Tally, name: str, rates: tuple[Rate, Rate], silent: str) -> dict[str, Any]:
    side: dict[str, Any] = {
        unit: {"tried": tried, name: rate.as_dict(), silent: none.as_dict()}
        for unit, tried, rate, none in zip(
            ("frames", "presentations"), (tally.frames, tally.presentations), rates, tally.no_response(), strict=True
        )
    }
    side["verdicts"] = {verdict.value: tally.verdicts[verdict] for verdict in LivenessVerdict}
    side["cues"] = {cue.value: count for cue, count in sorted(tally.cues.items())}
    return side
