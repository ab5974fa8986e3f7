"""What goes wrong and a person can mend: one line that says what, where and what to do next."""

from __future__ import annotations


class EdgeGateError(Exception):
    """A fault that somebody has to mend before the work can go on.

    `what` happened, `where` (a file, a device, a key), and what to do `next`. The text never holds a
    secret, a name, an image or an embedding. The command line prints it and exits with `exit_code`.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", next: str = "") -> None:
        self.what, self.where, self.next = what, where, next
        super().__init__(": ".join(part for part in (where, what) if part) + (f"; {next}" if next else ""))


class ConfigError(EdgeGateError):
    """The configuration cannot be used. `problems` holds one line for each mistake."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} mistake(s) in the configuration", where=where)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class StoreError(EdgeGateError):
    """A database cannot be opened, read or written."""


class DiskFull(StoreError):
    """A write was refused for want of space; nothing of it was kept."""


class TemplateUnreadable(EdgeGateError):
    """The sealed template does not open with this badge, or belongs to another pack."""


class CameraLost(EdgeGateError):
    """The camera does not open, or no longer gives frames. It may come back by itself."""


class ReaderLost(EdgeGateError):
    """A badge reader does not open, or no longer answers. It may come back by itself."""


class EndOfCodes(Exception):
    """A stream of typed lines has ended."""


class EndOfFrames(Exception):
    """A recorded source has played to its end."""


class ModelsMissing(EdgeGateError):
    """No pack can be loaded yet. The gate runs without faces and refers every volunteer."""


class PhotoRefused(EdgeGateError):
    """A photograph cannot serve for enrolment or verification; `code` names the reason."""

    def __init__(self, code: str, what: str, *, where: str = "", next: str = "") -> None:
        self.code = code
        super().__init__(what, where=where, next=next)


class SignalsLost(EdgeGateError):
    """The lights cannot be driven."""
