"""Who agreed, to what, and whether every volunteer did; by counts, never by name or handle."""

from __future__ import annotations

from edgegate.errors import EdgeGateError
from edgegate.files import exists
from edgegate.prove import scripts
from edgegate.prove.report import Claim, Found, Hand, holds, judged, no_row, sql, unchecked
from edgegate.prove.retention import ago
from edgegate.prove.scene import Scene
from edgegate.vault import secret
from edgegate.vault.rows import COLUMNS, BadgeRow, RowCodes

SOON_DAYS = 30
COUNTS = (
    "SELECT consent_by, consent_version, consent_language, count(*) FROM badge WHERE status = 'volunteer' "
    "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
SOON = f"SELECT 'soon', count(*) FROM badge WHERE consent_expires < {ago(f'+{SOON_DAYS} days')}"
STATUSES = "SELECT status, count(*) FROM badge GROUP BY 1 ORDER BY 1"
_FIELDS = ("consent_by", "consent_version", "consent_given", "consent_expires", "consent_language")
MISSING = "SELECT count(*) FROM badge WHERE (status = 'volunteer' AND ({})) OR (status <> 'volunteer' AND ({}))".format(
    " OR ".join(f"{name} IS NULL" for name in _FIELDS),
    " OR ".join(f"{name} IS NOT NULL" for name in (*_FIELDS, "sealed", "pack_id")),
)


def _counts(scene: Scene) -> Found:
    rows = scene.ask(scene.vault, COUNTS)
    badges = ", ".join(f"{status} {count}" for status, count in scene.ask(scene.vault, STATUSES))
    return holds(
        "holds" if rows else "none",
        badges=badges or "0",
        consents="; ".join(f"{by}, {version}, {language}: {count}" for by, version, language, count in rows),
        soon=scene.ask(scene.vault, SOON)[0][1],
        days=SOON_DAYS,
    )


def _by_counts(scene: Scene) -> Hand:
    queries = (STATUSES, COUNTS, SOON)
    lines = ["|".join(map(str, row)) for query in queries for row in scene.ask(scene.vault, query)]
    return Hand(sql(scene.vault, "; ".join(queries)), "\n".join(lines))


def _altered(scene: Scene) -> Found:
    query = f"SELECT {', '.join(COLUMNS)}, mac FROM badge"
    rows = scene.ask(scene.vault, query)
    try:
        codes = RowCodes(secret.load(scene.config.vault.site_secret))
    except EdgeGateError as error:
        return unchecked("no_secret", error=error)
    count = sum(not codes.holds(BadgeRow(*columns), code) for *columns, code in rows)
    return judged(count, count=count, rows=len(rows))


def _by_code(scene: Scene) -> Hand:
    path = scene.config.vault.site_secret
    sealed = secret.sealed(path)
    return Hand(scripts.rows(scene.vault, path, sealed if exists(sealed) and not exists(path) else None), "0")


CLAIMS = (
    Claim("consent.counts", _counts, _by_counts),
    no_row("consent.missing", "vault", lambda scene: MISSING),
    Claim("consent.altered", _altered, _by_code),
)
