"""The words of the house as frozen values: decisions, reasons, credentials, frames, events.

Nothing here computes, waits, reads or writes. Every field that could identify a person or open a
template stays out of `repr`, so that it cannot reach a log or a crash report by accident.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""A picture: height x width x 3, BGR, 0..255; or height x width, grey."""

Vector: TypeAlias = NDArray[np.float32]
"""An embedding: shape (dimensions,)."""


class Decision(StrEnum):
    """What the gate says at the end of a presentation, or of itself."""

    GRANTED = "granted"
    ALARM = "alarm"
    REFER = "refer"
    FAULT = "fault"


class Reason(StrEnum):
    """Why. Each belongs to exactly one decision (see `DECISION_OF`)."""

    MATCH = "match"
    SUPERVISOR = "supervisor"

    NO_MATCH = "no_match"
    REVOKED = "revoked"
    FORGED = "forged"
    SPOOF_SUSPECTED = "spoof_suspected"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    LOCKDOWN = "lockdown"

    NOT_ENROLLED = "not_enrolled"
    UNKNOWN_BADGE = "unknown_badge"
    CONSENT_EXPIRED = "consent_expired"
    BADGE_EXPIRED = "badge_expired"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    POOR_QUALITY = "poor_quality"
    LIVENESS_UNSURE = "liveness_unsure"
    TEMPLATE_UNREADABLE = "template_unreadable"
    ROSTER_STALE = "roster_stale"
    OUT_OF_ORDER = "out_of_order"

    CAMERA_LOST = "camera_lost"
    CAMERA_STALE = "camera_stale"
    CAMERA_DARK = "camera_dark"
    READER_LOST = "reader_lost"
    MODELS_MISSING = "models_missing"
    VAULT_UNREADABLE = "vault_unreadable"
    SIGNALS_LOST = "signals_lost"
    DISK_FULL = "disk_full"
    CLOCK_UNTRUSTED = "clock_untrusted"


_BY_DECISION = {
    Decision.GRANTED: "match supervisor",
    Decision.ALARM: "no_match revoked forged spoof_suspected too_many_attempts lockdown",
    Decision.REFER: "not_enrolled unknown_badge consent_expired badge_expired no_face several_faces "
    "poor_quality liveness_unsure template_unreadable roster_stale out_of_order",
    Decision.FAULT: "camera_lost camera_stale camera_dark reader_lost models_missing vault_unreadable "
    "signals_lost disk_full clock_untrusted",
}
DECISION_OF: dict[Reason, Decision] = {
    Reason(name): decision for decision, names in _BY_DECISION.items() for name in names.split()
}
FAULTS = frozenset(reason for reason, decision in DECISION_OF.items() if decision is Decision.FAULT)


class Detail(StrEnum):
    """What makes a badge forged."""

    UNKNOWN_ISSUER = "unknown_issuer"
    BAD_SIGNATURE = "bad_signature"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reason, the decision it stands for, and what refines it: a `Detail`, the fault behind `out_of_order`, or one of
    `RECORDED_FAULTS` behind `poor_quality`."""

    reason: Reason
    detail: str | None = None

    @property
    def decision(self) -> Decision:
        return DECISION_OF[self.reason]


class Status(StrEnum):
    """What the vault says of a badge."""

    VOLUNTEER = "volunteer"
    DIARY = "diary"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Code:
    """What a reader read, as text. It may carry a badge key, so it is neither shown nor kept after the check."""

    text: str = field(repr=False)
    steady: bool = True
    """True when the code stays in view and is read again and again (a camera); False when each reading
    is an act of its own (a line typed by a scanner)."""

    @property
    def fingerprint(self) -> bytes:
        """16 bytes by which the loop recognises the same code again without keeping its text."""
        return hashlib.blake2b(self.text.encode("utf-8", "replace"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Credential:
    """A signed badge whose signature holds, or a plain number. Times are whole seconds since 1970, UTC."""

    issuer: str
    badge_id: bytes = field(repr=False)
    issued: int
    expires: int
    badge_key: bytes | None = field(default=None, repr=False)
    sealed_template: bytes | None = field(default=None, repr=False)
    plain: bool = False
    """A legacy number: nobody signed it, and its dates are the vault's alone."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed (student, guardian, both), to which text in which language (two or three letters, ISO 639), when,
    and until when (UTC seconds)."""

    by: str
    version: str
    given: int
    expires: int
    language: str


class TemplateForm(StrEnum):
    """Where a volunteer's template is, and what opens it."""

    BADGE_KEYED = "badge-keyed"
    """In the vault, under the key that is on the badge."""
    ON_BADGE = "on-badge"
    """On the badge, under the site secret."""
    PLAIN = "plain"
    """In the vault, under the site secret alone."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A badge as the vault knows it."""

    handle: bytes = field(repr=False)
    status: Status
    badge_expires: int | None = None
    consent: Consent | None = None
    pack_id: str | None = None
    plain: bool = False
    """Known by a legacy number, as `Credential.plain`."""
    template: TemplateForm | None = None
    """None for everybody but volunteers."""
    altered: bool = False
    """The row was not written by somebody who holds this site's secret: nothing it says counts."""


class Template:
    """A reference embedding in the clear, for as long as one presentation needs it.

    `wipe` overwrites the numbers; Python may have left copies that no program can reach from here.
    """

    __slots__ = ("pack_id", "vector")

    def __init__(self, vector: Vector, pack_id: str) -> None:
        self.vector = vector
        self.pack_id = pack_id

    def wipe(self) -> None:
        self.vector.fill(0)

    def __repr__(self) -> str:
        return "Template(…)"


class Unsealed:
    """The template of one verified badge, good for one comparison: `take` hands it over once, and once only."""

    __slots__ = ("_template", "pack_id")

    def __init__(self, template: Template) -> None:
        self._template: Template | None = template
        self.pack_id = template.pack_id

    def take(self) -> Template:
        """The template; whoever takes it wipes it. Raises RuntimeError when it was taken or wiped before."""
        template, self._template = self._template, None
        if template is None:
            raise RuntimeError("this template was used for its one comparison already")
        return template

    def wipe(self) -> None:
        """Never taken, never compared; may be called twice."""
        if self._template is not None:
            self.take().wipe()

    def __repr__(self) -> str:
        return "Unsealed(…)"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture and the monotonic second at which it arrived. `number` counts from 1 in each run."""

    number: int
    at: float
    image: Image = field(repr=False)


class Look(StrEnum):
    """What one frame said about the face in front of the gate."""

    MATCH = "match"
    BELOW = "below"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_FAR = "too_far"
    TURNED_AWAY = "turned_away"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    CUT_OFF = "cut_off"
    """Part of the face is outside the picture."""
    COVERED = "covered"
    """Perhaps by a mask or a scarf: said to the student, never recorded."""
    POOR_QUALITY = "poor_quality"
    """Not fit to compare for no reason that a student could mend."""
    UNSURE = "liveness_unsure"
    """The face matches, and it is not shown (yet) that it is a live one."""
    SPOOF = "spoof_suspected"
    """The face matches, and looks like a picture of one."""


QUALITY_FAULTS = frozenset(
    {
        Look.TOO_FAR,
        Look.TURNED_AWAY,
        Look.TOO_DARK,
        Look.TOO_BRIGHT,
        Look.BLURRED,
        Look.CUT_OFF,
        Look.COVERED,
        Look.POOR_QUALITY,
    }
)
"""Looks at a face that was found and not compared; each is `poor_quality` to the decision."""
RECORDED_FAULTS = QUALITY_FAULTS - {Look.COVERED, Look.POOR_QUALITY}
"""Those that become the detail of `poor_quality`. What covers a face may tell of a belief or an illness."""


class Button(StrEnum):
    """The supervisor's two buttons."""

    ACKNOWLEDGE = "acknowledge"
    DIARY = "diary"


@dataclass(frozen=True, slots=True)
class CodeSeen:
    """A reader sees this code. `credible` tells whether it has the form of a badge of ours at all."""

    code: Code
    credible: bool = True


@dataclass(frozen=True, slots=True)
class BadgeChecked:
    """What signature, dates and vault say of the badge that was asked about."""

    status: Status = Status.UNKNOWN
    handle: bytes | None = field(default=None, repr=False)
    forged: Detail | None = None
    badge_expired: bool = False
    consent_expired: bool = False
    altered: bool = False
    """The vault's row for this badge is not what this site wrote (`Standing.altered`)."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A fresh frame was looked at for the presentation under way, which took so many seconds."""

    look: Look
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TemplateRefused:
    """The template of the badge under way does not open."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A supervisor pressed a button."""

    button: Button


@dataclass(frozen=True, slots=True)
class FaultsNow:
    """All faults that hold at this moment; those no longer named have healed."""

    faults: frozenset[Reason]


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """The journal could not keep the last decision."""

    fault: Reason


@dataclass(frozen=True, slots=True)
class LockdownSet:
    """Somebody in charge locked the gate, or opened it again."""

    on: bool


@dataclass(frozen=True, slots=True)
class WithdrawalArmed:
    """The office says that somebody comes to withdraw consent at this gate."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The consent behind the badge under way was withdrawn and its template erased; or, with `fault`, it was not."""

    fault: Reason | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event: TypeAlias = (
    CodeSeen
    | BadgeChecked
    | Looked
    | TemplateRefused
    | Pressed
    | FaultsNow
    | NotRecorded
    | LockdownSet
    | WithdrawalArmed
    | Withdrawn
    | Tick
)
