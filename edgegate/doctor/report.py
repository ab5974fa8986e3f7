"""What a check found, as one line, and how a check is run so that nothing it meets ends the doctor."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edgegate.errors import EdgeGateError

MAX_TEXT = 400


class Result(StrEnum):
    """How it stands, from good to bad."""

    OK = "ok"
    SKIPPED = "skipped"
    WARN = "warn"
    FAIL = "fail"


_SHOWN = {Result.OK: "ok  ", Result.SKIPPED: "skip", Result.WARN: "warn", Result.FAIL: "FAIL"}
_GRAVITY = tuple(Result)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says, and where something is to be done, the remedy."""

    result: Result
    says: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A named look at one part. `look` may raise whatever it likes, and take `limit_s` seconds."""

    name: str
    look: Callable[[], Finding]
    limit_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    name: str
    result: Result
    says: str
    remedy: str
    stuck: bool = False
    """The check did not come back; its thread is still there."""

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "result": self.result.value, "says": self.says, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{_SHOWN[self.result]}  {self.name:<15} {'; '.join(filter(None, (self.says, self.remedy)))}"


def ok(says: str) -> Finding:
    """All is well."""
    return Finding(Result.OK, says)


def skip(says: str, remedy: str = "") -> Finding:
    """It could not be looked at, and that is no fault."""
    return Finding(Result.SKIPPED, says, remedy)


def warn(says: str, remedy: str) -> Finding:
    """The gate works, but somebody should see to it."""
    return Finding(Result.WARN, says, remedy)


def fail(says: str, remedy: str) -> Finding:
    """The gate does not work like this."""
    return Finding(Result.FAIL, says, remedy)


def trouble(error: EdgeGateError) -> Finding:
    """An error of the gate's own, which names its remedy."""
    return fail(": ".join(filter(None, (error.where, error.what))), error.next)


def merge(*findings: Finding) -> Finding:
    """Several findings in one line, as grave as the gravest; remedies in the order of what they are for."""
    worst = max(findings, key=lambda finding: _GRAVITY.index(finding.result)).result
    says = dict.fromkeys(finding.says for finding in findings if finding.says)
    remedies = dict.fromkeys(finding.remedy for finding in findings if finding.remedy)
    return Finding(worst, ", ".join(says), "; ".join(remedies))


def carry_out(check: Check) -> Line:
    """Run one check in a thread of its own: a camera that hangs in its driver must not hang the doctor."""
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.append(_guarded(check.look)), name=check.name, daemon=True)
    thread.start()
    thread.join(check.limit_s)
    stuck = not found
    finding = (
        fail(f"no answer within {check.limit_s:g} s", "unplug what it belongs to, plug it in again, then look again")
        if stuck
        else found[0]
    )
    return Line(check.name, finding.result, _short(finding.says), _short(finding.remedy), stuck)


def _guarded(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except EdgeGateError as error:
        return trouble(error)
    except BaseException as error:
        # Whatever is broken, the other checks go on. The text of an unforeseen error may quote what it was given.
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        return fail(f"unforeseen {type(error).__name__} in {place}", "please report it")


def _short(text: str) -> str:
    """One line that can be printed, of a length that can be read."""
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"
