"""What vault and journal could hold at all: their tables and columns, the lengths of their bytes, their words.

That some bytes look random proves nothing, so nothing is said of it: a sealed template is known by its length (nonce,
numbers of the pack, tag) and by being in the column that this version seals into.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgegate.errors import EdgeGateError
from edgegate.model import Decision, Reason
from edgegate.prove.faces import pack
from edgegate.prove.report import Claim, Found, Hand, judged, sql
from edgegate.prove.scene import Scene
from edgegate.stores import CLOCK_ACCEPTED, CONSENT, SESSION

COLUMNS = (
    "SELECT group_concat(line, ', ') FROM (SELECT m.name || '.' || p.name || ' ' || p.type AS line "
    "FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type IN ('table', 'view') ORDER BY m.name, p.cid)"
)
VAULT = (
    "badge.handle BLOB, badge.status TEXT, badge.badge_expires INTEGER, badge.card BLOB, badge.pack_id TEXT, "
    "badge.sealed BLOB, badge.consent_by TEXT, badge.consent_version TEXT, badge.consent_given INTEGER, "
    "badge.consent_expires INTEGER, badge.consent_language TEXT, badge.plain INTEGER, badge.mac BLOB, "
    "setting.name TEXT, setting.value ANY"
)
JOURNAL = (
    "entry.seq INTEGER, entry.at INTEGER, entry.gate TEXT, entry.kind TEXT, entry.decision TEXT, entry.reason TEXT, "
    "entry.detail TEXT, entry.presentation INTEGER, entry.pseudonym TEXT, entry.latency_ms REAL, entry.hash BLOB, "
    "head.seq INTEGER, head.hash BLOB, hourly.hour INTEGER, hourly.decision TEXT, hourly.reason TEXT, "
    "hourly.above_ms INTEGER, hourly.count INTEGER, start.seq INTEGER, start.hash BLOB, start.before INTEGER, "
    "start.hours BLOB, start.unsigned INTEGER, start.doubt TEXT, start.device TEXT, start.signature BLOB"
)
DIMENSIONS = frozenset({128, 256, 512})
"""Of the embeddings of all packs that the catalogue knows of."""
NONCE, TAG, NUMBER = 12, 16, 4
_HASH = 32
KINDS = ("start", "stop", "decision", "fault_over", CLOCK_ACCEPTED, SESSION, CONSENT)
MAX_DETAIL = 80


def sealed_lengths(scene: Scene) -> tuple[int, ...]:
    """How long a sealed template may be, in bytes."""
    try:
        own = {pack(scene).manifest.recogniser.dimensions}
    except EdgeGateError:
        own = set()
    return tuple(sorted(NONCE + NUMBER * dimensions + TAG for dimensions in DIMENSIONS | own))


def _strange_bytes(scene: Scene) -> str:
    lengths = ", ".join(map(str, sealed_lengths(scene)))
    return (
        f"SELECT (SELECT count(*) FROM badge WHERE length(handle) <> {_HASH} OR length(mac) <> {_HASH} "
        f"OR coalesce(length(card), {_HASH}) <> {_HASH} OR (sealed IS NOT NULL AND length(sealed) NOT IN ({lengths}))) "
        f"+ (SELECT count(*) FROM setting WHERE length(value) > {_HASH} "
        "OR name NOT IN ('lockdown', 'site', 'withdrawal'))"
    )


def _strange_words() -> str:
    return (
        f"SELECT count(*) FROM entry WHERE kind NOT IN ({_words(KINDS)}) "
        f"OR decision NOT IN ('', {_words(Decision)}) "
        f"OR (kind = 'decision' AND reason NOT IN ({_words(Reason)})) "
        f"OR length(reason) > 40 OR length(detail) > {MAX_DETAIL} OR length(gate) > 64 OR length(hash) <> {_HASH} "
        "OR (pseudonym <> '' AND (length(pseudonym) <> 16 OR pseudonym GLOB '*[^0-9a-f]*'))"
    )


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _vault(scene: Scene) -> Found:
    found = str(scene.ask(scene.vault, COLUMNS)[0][0] or "")
    return judged(found != VAULT, columns=_difference(found, VAULT))


def _journal(scene: Scene) -> Found:
    found = str(scene.ask(scene.journal, COLUMNS)[0][0] or "")
    return judged(found != JOURNAL, columns=_difference(found, JOURNAL))


def _bytes(scene: Scene) -> Found:
    count = scene.number(scene.vault, _strange_bytes(scene))
    templates = scene.number(scene.vault, "SELECT count(*) FROM badge WHERE sealed IS NOT NULL")
    return judged(count, count=count, templates=templates, lengths=", ".join(map(str, sealed_lengths(scene))))


def _texts(scene: Scene) -> Found:
    count = scene.number(scene.journal, _strange_words())
    return judged(count, count=count, rows=scene.number(scene.journal, "SELECT count(*) FROM entry"))


def _difference(found: str, expected: str) -> str:
    """What is there too much, and what is missing; the names of columns only."""
    there, known = set(found.split(", ")), set(expected.split(", "))
    return ", ".join(sorted(f"+ {name}" for name in there - known) + sorted(f"- {name}" for name in known - there))


CLAIMS = (
    Claim("shape.vault", _vault, lambda scene: Hand(sql(scene.vault, COLUMNS), VAULT)),
    Claim("shape.templates", _bytes, lambda scene: Hand(sql(scene.vault, _strange_bytes(scene)), "0")),
    Claim("shape.journal", _journal, lambda scene: Hand(sql(scene.journal, COLUMNS), JOURNAL)),
    Claim("shape.words", _texts, lambda scene: Hand(sql(scene.journal, _strange_words()), "0")),
)
