"""From a report to what is kept of it: figures, and nothing of a person or a file."""

from __future__ import annotations

from edgegate.calibration.evaluate import Report
from edgegate.calibration.measure import Side
from edgegate.calibration.record import Calibration, Kept, Measured, Threshold
from edgegate.rates import Rate


def calibration(report: Report, device: str) -> Calibration:
    """What the device of that name signs."""
    figures, manifest = report.figures, report.pack.manifest
    return Calibration(
        pack=report.pack.id,
        detector_sha256=manifest.detector.sha256,
        recogniser_sha256=manifest.recogniser.sha256,
        data=report.data,
        pictures=report.pictures,
        people=report.people,
        people_not_enrolled=figures.not_enrolled.errors,
        made=report.made,
        edgegate=report.version,
        looks=figures.looks,
        per_pair=_kept(figures.per_pair),
        per_presentation=_kept(figures.per_presentation),
        device=device,
    )


def _kept(side: Side) -> Kept:
    return Kept(
        genuine=side.genuine,
        genuine_people=side.genuine_people,
        impostor=side.impostors,
        people_pairs=side.people_pairs,
        supports_fmr=side.supports,
        thresholds=tuple(
            Threshold(
                target_fmr=point.target,
                threshold=point.threshold,
                fmr=_measured(point.fmr),
                fnmr=_measured(point.fnmr),
            )
            for point in side.points
            if point.threshold is not None and point.fmr is not None and point.fnmr is not None
        ),
    )


def _measured(rate: Rate) -> Measured:
    return Measured(errors=rate.errors, trials=rate.trials, low=rate.low, high=rate.high)
