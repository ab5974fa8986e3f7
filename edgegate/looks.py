"""What the looks of one presentation say together: the verdict when none matched, and a word to the student before.

Part of the heart: values in, values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgegate.model import QUALITY_FAULTS, RECORDED_FAULTS, Look, Reason, Verdict
from edgegate.state import HintKind, Rules

_HINT_OF = {
    Look.NO_FACE: HintKind.LOOK_AT_CAMERA,
    Look.TURNED_AWAY: HintKind.LOOK_AT_CAMERA,
    Look.SEVERAL_FACES: HintKind.ONE_AT_A_TIME,
    Look.TOO_FAR: HintKind.COME_CLOSER,
    Look.TOO_DARK: HintKind.TOO_DARK,
    Look.TOO_BRIGHT: HintKind.TOO_BRIGHT,
    Look.BLURRED: HintKind.HOLD_STILL,
    Look.CUT_OFF: HintKind.STEP_INTO_PICTURE,
    Look.COVERED: HintKind.UNCOVER_FACE,
}
"""What a student can do about a look."""


def advice(looks: Sequence[Look]) -> HintKind | None:
    """What the last two looks both ask of the student; one alone may be a blink."""
    kinds = {_HINT_OF.get(look) for look in looks[-2:]}
    return kinds.pop() if len(looks) >= 2 and len(kinds) == 1 else None


def verdict_of(looks: Sequence[Look], rules: Rules) -> Verdict:
    """What to say when the time to look is over and nothing matched."""
    counts = Counter(looks)
    withheld = [look for look in looks if look in (Look.UNSURE, Look.SPOOF)]
    if withheld:
        # The face matched, and only its liveness was missing: what was said of that last counts.
        spoof = withheld[-1] is Look.SPOOF and rules.enforce_liveness
        return Verdict(Reason.SPOOF_SUSPECTED if spoof else Reason.LIVENESS_UNSURE)
    if counts[Look.BELOW] >= rules.min_probes:
        return Verdict(Reason.NO_MATCH)
    if not counts:
        return Verdict(Reason.OUT_OF_ORDER, Reason.CAMERA_STALE.value)
    del counts[Look.BELOW]
    return _most_frequent(counts)


def _most_frequent(counts: Counter[Look]) -> Verdict:
    """The faults of quality count as one reason, and the most frequent of them is its detail; the first of equals."""
    faults = Counter({look: times for look, times in counts.items() if look in QUALITY_FAULTS})
    reasons: Counter[Reason] = Counter()
    for look, times in counts.items():
        reasons[Reason.POOR_QUALITY if look in QUALITY_FAULTS else Reason(look.value)] += times
    reason = max(reasons, key=reasons.__getitem__) if reasons else Reason.POOR_QUALITY
    if reason is not Reason.POOR_QUALITY or not faults:
        return Verdict(reason)
    fault = max(faults, key=faults.__getitem__)
    return Verdict(reason, fault.value if fault in RECORDED_FAULTS else None)
