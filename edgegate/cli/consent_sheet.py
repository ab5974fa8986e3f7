"""What is held about one badge: for the person it is about, and for a program (access and portability)."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from edgegate.cli.common import last_day
from edgegate.cli.enroll_list import as_json as listed
from edgegate.config import Config
from edgegate.model import Standing, TemplateForm
from edgegate.words import sheet

WIDTH = 88
SEALED = {
    TemplateForm.BADGE_KEYED: "AES-256-GCM under HKDF-SHA256 of the badge's own key, salted with the site secret",
    TemplateForm.ON_BADGE: "on the badge itself; AES-256-GCM under HKDF-SHA256 of the site secret",
    TemplateForm.PLAIN: "AES-256-GCM under HKDF-SHA256 of the site secret and the badge's number",
}


def as_text(standing: Standing, held: Mapping[str, Any], config: Config) -> str:
    """In the gate's language, a paragraph for each thing held and for what is not."""
    lines = _sentences(standing, held, config, sheet(config.gate.language))
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False) for line in lines)


def as_json(standing: Standing, held: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The same in full: `row` is every column the vault has of this badge, bytes in base64."""
    form = standing.template
    return listed(standing) | {
        "sealing": form and SEALED[form],
        "row": {name: _plain_value(value) for name, value in held.items()},
        "journal": {
            "retention_days": config.journal.retention_days,
            "rows_of_this_badge": [],
            "why": "rows bear a pseudonym of the day; its key is in the running gate's memory, and ends with the day",
        },
        "not_held": ["name", "class", "date of birth", "address", "photographs", "pictures", "scores", "passages"],
    }


def _sentences(standing: Standing, held: Mapping[str, Any], config: Config, words: Mapping[str, str]) -> Iterator[str]:
    def day(moment: int | None) -> str:
        return datetime.fromisoformat(last_day(moment)).strftime(words["date"]) if moment else "?"

    yield words["title"].format(handle=standing.handle.hex()[:12])
    if standing.altered:
        yield words["altered"]
    yield words[standing.status.value].format(until=day(standing.badge_expires))
    yield words["number"]
    if held["card"] is not None:
        yield words["card"]
    consent = standing.consent
    if consent is not None and standing.template is not None:
        yield words["consent"].format(
            by=words.get(f"by_{consent.by}", consent.by),
            version=consent.version,
            language=consent.language,
            given=datetime.fromtimestamp(consent.given).strftime(words["date"]),
            until=day(consent.expires),
        )
        yield words[standing.template.value].format(size=len(held["sealed"] or b""), pack=standing.pack_id)
    else:
        yield words["nothing"]
    yield words["journal"].format(days=config.journal.retention_days)
    yield words["not_held"]
    if consent is not None:
        yield words["withdraw"]
    yield words["copy"]


def _plain_value(value: Any) -> Any:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
