"""How often the pack errs, as far as anybody measured it: here, by `edgegate calibrate`, or where its manifest says."""

from __future__ import annotations

from edgegate.calibration.record import Calibration, Kept, Measured
from edgegate.dpia.document import Facts
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces.catalogue import EMBEDDED
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.faces.pack import Pack
from edgegate.prove import faces
from edgegate.prove.scene import Scene

UNKNOWN = "-"


def of_the_pack(scene: Scene, said: dict[str, str]) -> Facts:
    """Texts, conditions and the table `rates` of the pack that the gate would take."""
    fmr = f"{scene.config.faces.target_fmr:g}"
    nothing = dict.fromkeys(("pack", "licence", "threshold", "measured_on"), UNKNOWN) | {
        "fmr": fmr,
        **dict.fromkeys(("pictures", "adolescents", "here", "presentation"), said["not_measured"]),
    }
    try:
        pack = faces.pack(scene)
    except ModelsMissing:
        return Facts(nothing, frozenset({"no_pack"}), {"rates": []})
    if pack is FAKE_PACK:
        return Facts(nothing | {"pack": pack.name}, frozenset({"fake"}), {"rates": []})
    own = faces.calibration(pack, scene)
    used = faces.measured(pack, own) if own else pack
    texts = nothing | {
        "pack": pack.name,
        "licence": f"{pack.manifest.licence.detector}; {pack.manifest.licence.recogniser}",
        "threshold": _threshold(used, scene.config.faces.target_fmr),
        "measured_on": used.manifest.measured_on,
    }
    if used.measured:
        texts["pictures"] = f"{said['measured']} ({used.manifest.measured_on})"
    if own:
        texts |= dict.fromkeys(("adolescents", "here"), said["if_among"])
        texts["presentation"] = said["measured_here"].format(data=own.measured_on)
    rows = _calibrated(own, said) if own else _stated(pack, said)
    # What is known of the embedded pack was measured on others than whoever is calibrated for.
    return Facts(texts, frozenset({"embedded"} if pack.name == EMBEDDED and not own else ()), {"rates": rows})


def _threshold(pack: Pack, fmr: float) -> str:
    try:
        return f"{pack.threshold(fmr):.3f}"
    except EdgeGateError:
        return UNKNOWN  # never measured so strictly; the gate refuses to start with it


def _stated(pack: Pack, said: dict[str, str]) -> list[tuple[str, ...]]:
    """Thresholds alone: a manifest says nothing of those who are refused in error."""
    return [
        (said["by_manifest"].format(threshold=f"{threshold:.3f}"), f"{fmr:g}", UNKNOWN, said["not_measured"])
        for fmr, threshold in sorted(pack.manifest.thresholds.items(), reverse=True)
    ]


def _calibrated(own: Calibration, said: dict[str, str]) -> list[tuple[str, ...]]:
    sides = {
        said["per_pair"]: own.per_pair,
        said["per_presentation"].format(looks=own.looks): own.per_presentation,
    }
    return [row for name, side in sides.items() for row in _side(name, side)]


def _side(name: str, side: Kept) -> list[tuple[str, ...]]:
    return [(name, f"{point.target_fmr:g}", _rate(point.fmr), _rate(point.fnmr)) for point in side.thresholds]


def _rate(measured: Measured) -> str:
    share = measured.errors / measured.trials if measured.trials else 0.0
    return f"{share:.2g} ({measured.low:.2g} - {measured.high:.2g}), {measured.errors}/{measured.trials}"
