"""Nothing is kept longer than it may be. The gate's housekeeping comes by every hour; two are allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from edgegate.files import exists
from edgegate.journal import pseudonyms
from edgegate.prove.inventory import RUNTIME
from edgegate.prove.report import Claim, Found, Hand, holds, judged, no_row, sql
from edgegate.prove.scene import Scene

SLACK_S = 2 * 3600
YEAR_S = 367 * 86_400
"""Twelve months over a leap day, with the whole of the last day."""


def ago(*changes: str) -> str:
    """So long before now, in UTC seconds as SQLite counts them."""
    words = ", ".join(f"'{word}'" for word in ("now", *changes))
    return f"CAST(strftime('%s', {words}) AS INTEGER)"


def day(moment: float) -> str:
    """A date of this machine's time zone, as 2027-06-30."""
    return datetime.fromtimestamp(moment).date().isoformat()


_SLACK = f"-{SLACK_S} seconds"
OLD_BADGES = f"SELECT count(*) FROM badge WHERE badge_expires < {ago(_SLACK)}"
OLD_CONSENTS = f"SELECT count(*) FROM badge WHERE consent_expires < {ago(_SLACK)}"
LONG_CONSENTS = f"SELECT count(*) FROM badge WHERE consent_expires - consent_given > {YEAR_S}"


def _old_rows(scene: Scene) -> str:
    return f"SELECT count(*) FROM entry WHERE at < {ago(f'-{scene.config.journal.retention_days} days', _SLACK)}"


def _journal(scene: Scene) -> Found:
    count = scene.number(scene.journal, _old_rows(scene))
    oldest = scene.number(scene.journal, "SELECT min(at) FROM entry")
    days = scene.config.journal.retention_days
    return judged(count, days=days, count=count, oldest=day(oldest) if oldest else "-")


def _key(scene: Scene) -> Path:
    return scene.machine.path(RUNTIME) / pseudonyms.FILE


def _pseudonyms(scene: Scene) -> Found:
    """The file's first line is its day (UTC)."""
    path = _key(scene)
    if not exists(path):
        return holds("gone")
    with path.open("rb") as stream:
        told = stream.readline(16).decode("ascii", "replace").strip()
    recent = {f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" for moment in (scene.now, scene.now - SLACK_S)}
    return judged(told not in recent, day=told if told.isprintable() else "?")


def _by_date(scene: Scene) -> Hand:
    path = quote(str(_key(scene)))
    days = '-e "$(date -u +%F)" -e "$(date -u -d \'-2 hours\' +%F)"'
    return Hand(f"test ! -e {path} || head -n 1 {path} | grep -vxa {days}")


CLAIMS = (
    Claim("retention.journal", _journal, lambda scene: Hand(sql(scene.journal, _old_rows(scene)), "0")),
    no_row("retention.badges", "vault", lambda scene: OLD_BADGES),
    no_row("retention.consents", "vault", lambda scene: OLD_CONSENTS),
    Claim("retention.pseudonyms", _pseudonyms, _by_date),
    no_row("retention.year", "vault", lambda scene: LONG_CONSENTS),
)
