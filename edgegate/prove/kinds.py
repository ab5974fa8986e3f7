"""Which kinds of badges there are: those without a signature are weaker, and a template may be on the badge itself."""

from __future__ import annotations

from shlex import join

from edgegate.prove.report import Claim, Found, Hand, holds, judged, no_row, sql
from edgegate.prove.scene import Scene

PLAIN = "SELECT count(*) FROM badge WHERE plain <> 0"
FORMS = (
    "SELECT CASE WHEN plain THEN 'plain' WHEN sealed IS NULL THEN 'on-badge' ELSE 'badge-keyed' END, count(*) "
    "FROM badge WHERE status = 'volunteer' GROUP BY 1 ORDER BY 1"
)
_ALLOWED = "^[^#]*allow_plain[\"']?: *(true|yes|on)"


def _allowed(scene: Scene) -> Found:
    badges = scene.config.badges
    return judged(badges.allow_plain, formats=", ".join(badges.formats) or "-")


def _by_grep(scene: Scene) -> Hand:
    return Hand(join(["grep", "-ciE", _ALLOWED, str(scene.config.file.absolute())]), "0")


def _forms(scene: Scene) -> Found:
    rows = scene.ask(scene.vault, FORMS)
    return holds("holds" if rows else "none", forms=", ".join(f"{form} {count}" for form, count in rows))


def _by_forms(scene: Scene) -> Hand:
    return Hand(sql(scene.vault, FORMS), "\n".join(f"{form}|{count}" for form, count in scene.ask(scene.vault, FORMS)))


CLAIMS = (
    Claim("badges.allowed", _allowed, _by_grep),
    no_row("badges.plain", "vault", lambda scene: PLAIN),
    Claim("badges.forms", _forms, _by_forms),
)
