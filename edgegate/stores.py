"""The contracts between the gate and what is kept: vault, journal, the device's key. `tests/contracts` holds one suite
for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from edgegate.model import Consent, Credential, Standing, Template, Unsealed


@dataclass(frozen=True, slots=True)
class Erased:
    """What the vault forgot: how many rows changed, and what must not be found anywhere any more."""

    rows: int
    traces: tuple[bytes, ...] = field(default=(), repr=False)
    """Ciphertexts and keyed hashes that were in those rows, each 16 bytes or longer."""
    consents: int = 0
    """How many of those rows were a volunteer's."""


class Vault(Protocol):
    """Sealed templates, statuses and consents, each under its badge's handle.

    What is forgotten (`withdraw`, `revoke`, `erase`, `erase_all`, `purge`) is overwritten in the files before the call
    returns; `edgegate.erasure` checks that, for what `Erased` names.
    """

    def standing(self, credential: Credential) -> Standing: ...

    def unseal(self, credential: Credential, pack_id: str) -> Unsealed:
        """The template of this one badge, for one comparison: the only way to a template there is.

        Raises TemplateUnreadable: no volunteer, another pack, another badge, key or site, altered bytes.
        """
        ...

    def seal_for_badge(self, template: Template, badge_id: bytes) -> bytes:
        """The template as an on-badge credential carries it, sealed under the site secret."""
        ...

    def enrol(
        self,
        credential: Credential,
        *,
        card_number: str,
        template: Template | None,
        consent: Consent | None,
        replaces: bytes | None = None,
    ) -> Erased:
        """Keep a volunteer's badge (template and consent) or a diary badge (neither), under `handle_of` its id.

        A credential that carries its sealed template leaves none in the vault. A plain badge has no card number
        (empty), and its `issued` is the moment of enrolment. `replaces` is the handle of an older badge of the same
        person, revoked in the same breath; what that one left is what is returned.
        """
        ...

    def find(self, who: str) -> Standing:
        """By card number or handle (hexadecimal, 12 digits at least). Raises EdgeGateError when not one."""
        ...

    def handle_of(self, badge_id: bytes) -> bytes: ...

    def withdraw(self, handle: bytes) -> Erased:
        """Forget template and consent; the badge goes on as a diary badge. Raises EdgeGateError for a badge that is
        unknown or revoked; a diary badge stays as it is."""
        ...

    def revoke(self, handle: bytes) -> Erased:
        """Refuse this badge from now on; its template is gone at once."""
        ...

    def erase(self, handle: bytes) -> Erased:
        """Forget everything but what is needed to refuse the badge until it expires by itself."""
        ...

    def erase_all(self) -> Erased:
        """Forget every badge, as if none had ever been enrolled."""
        ...

    def entries(self) -> list[Standing]: ...

    def purge(self, now: int) -> Erased:
        """Drop badges past their date; whose consent is past its date goes on as a diary badge."""
        ...

    def locked(self) -> bool:
        """Is the gate in lockdown? Kept over restarts."""
        ...

    def set_locked(self, on: bool) -> None: ...

    def arm_withdrawal(self) -> None:
        """Leave word for the running gate that somebody comes to withdraw consent."""
        ...

    def take_withdrawal(self) -> bool:
        """Was that word left? It is gone when this returns."""
        ...

    def close(self) -> None: ...


class Signer(Protocol):
    """The device's own key, which signs and does nothing else."""

    name: str
    """By which a verifier tells whose signature it is: 16 hexadecimal digits."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes, Ed25519 (RFC 8032)."""
        ...

    def verifies(self, message: bytes, signature: bytes) -> bool: ...


CLOCK_ACCEPTED = "clock_accepted"
"""The kind of the entry by which somebody vouches for the clock: times before it no longer count."""
SESSION = "session"
"""The kind of the entry that says who (`detail`) looked at journal or vault, with which command (`reason`)."""
CONSENT = "consent"
"""The kind of the entry about a consent: `reason` is given, renewed, withdrawn, lapsed, kept or erased."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line for the journal. The handle becomes a daily pseudonym before anything is written."""

    at: int
    kind: str
    decision: str = ""
    reason: str = ""
    detail: str = ""
    presentation: int = 0
    handle: bytes | None = field(default=None, repr=False)
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line as the journal keeps it. `hash` covers the row and the hash before it."""

    seq: int
    at: int
    gate: str
    kind: str
    decision: str
    reason: str
    detail: str
    presentation: int
    pseudonym: str
    latency_ms: float
    hash: bytes


@dataclass(frozen=True, slots=True)
class KnownTime:
    """The latest time among the rows since somebody last accepted the clock (UTC seconds; 0 without rows), and the
    sequence number of that acceptance (0: never)."""

    at: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a journal. Kept elsewhere, it shows later that nothing before it was taken back."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class HourCount:
    """How many decisions of one kind fell into one hour (its first UTC second) and one bucket of latency.

    `up_to_ms` is the bucket's upper bound; infinite for the last.
    """

    hour: int
    decision: str
    reason: str
    up_to_ms: float
    count: int


class Journal(Protocol):
    """The append-only record."""

    def append(self, entry: Entry) -> int:
        """Keep an entry for good before returning its sequence number. Raises StoreError, DiskFull."""
        ...

    def rows(self, last: int | None = None) -> Iterator[Row]:
        """Rows in order; only the `last` so many if given."""
        ...

    def verify(self, head: Head | None = None) -> int:
        """Walk the whole chain, from its signed start. Returns the number of rows; raises EdgeGateError naming the
        first bad row, or that `head`, noted earlier, is no row of it."""
        ...

    def head(self) -> Head:
        """The head as it is now, for keeping elsewhere."""
        ...

    def purge(self, before: int) -> int:
        """Drop rows older than `before` (UTC seconds) without breaking the chain; their hourly counts stay. At
        most so many in one call that the gate's loop is not held up; the next one goes on. Returns how many."""
        ...

    def end_day(self, now: int) -> None:
        """Let go of the pseudonym key of a day that is over at `now` (UTC seconds), if nothing was recorded since."""
        ...

    def hourly(self) -> Iterator[HourCount]:
        """Counts of all decisions ever recorded here, those whose rows are gone included, in order of time."""
        ...

    def known_time(self) -> KnownTime:
        """The newest time it bears witness to."""
        ...

    def close(self) -> None: ...
