"""What the annex says of this gate: settings, and counts of what vault and journal hold. No row about a person."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgegate import __version__
from edgegate.dpia.document import Facts, words
from edgegate.dpia.rates import of_the_pack
from edgegate.model import Decision, Reason, Verdict
from edgegate.prove.consents import COUNTS, SOON, STATUSES
from edgegate.prove.kinds import FORMS
from edgegate.prove.record import HEAD
from edgegate.prove.retention import day
from edgegate.prove.scene import NotThereYet, Scene
from edgegate.state import Phase
from edgegate.words import Words

DECISIONS = (
    "SELECT decision, reason, count(*) FROM entry WHERE kind = 'decision' GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2"
)
PRESENTED = "SELECT count(*) FROM entry WHERE kind = 'decision' AND presentation > 0 AND reason <> 'supervisor'"
_DIGITS = 16


def gather(scene: Scene, language: str) -> Facts:
    """All of it, in the words of a language. Raises EdgeGateError, PermissionError."""
    said = words(language)
    return merged(_settings(scene, said), _vault(scene, said), _journal(scene, language), of_the_pack(scene, said))


def merged(*parts: Facts) -> Facts:
    """Several in one."""
    texts = {name: text for part in parts for name, text in part.texts.items()}
    tables = {name: rows for part in parts for name, rows in part.tables.items()}
    return Facts(texts, frozenset().union(*(part.true for part in parts)), tables)


def _settings(scene: Scene, said: dict[str, str]) -> Facts:
    config = scene.config
    network, relay = config.camera.kind == "rtsp", config.signals.relay is not None
    liveness = config.faces.liveness
    texts = {
        "gate": config.gate.name,
        "made": f"{datetime.fromtimestamp(scene.now, UTC):%Y-%m-%d %H:%M} UTC",
        "version": __version__,
        "config": str(config.file.absolute()),
        "digest": hashlib.sha256(config.file.read_bytes()).hexdigest()[:_DIGITS],
        "camera": config.camera.shown,
        "readers": ", ".join(reader.kind for reader in config.badges.readers),
        "network": said["camera_network" if network else "no_network"],
        "network_flow": said["camera_flow" if network else "nothing_leaves"],
        "timeout_s": f"{config.faces.timeout_s:g}",
        "liveness": said[f"liveness_{liveness}"].format(pack=config.faces.liveness_pack),
        "attacks": said["not_measured" if liveness == "off" else "attacks_elsewhere"],
        "relay": said["relay"].format(seconds=f"{config.signals.relay_s:g}") if relay else said["no_relay"],
        "retention_days": str(config.journal.retention_days),
    }
    conditions = {
        "keyed": True,
        "network_camera": network,
        "plain": config.badges.allow_plain,
        "liveness": liveness != "off",
        "advisory": liveness == "advisory",
        "enforce": liveness == "enforce",
    }
    return Facts(texts, frozenset(name for name, holds in conditions.items() if holds))


def _vault(scene: Scene, said: dict[str, str]) -> Facts:
    store = scene.vault
    queries = {"statuses": STATUSES, "consents": COUNTS, "forms": FORMS}
    found = {name: _ask(scene, store, query) for name, query in queries.items()}
    tables = {name: [(said.get(row[0], row[0]), *map(str, row[1:])) for row in rows] for name, rows in found.items()}
    soon = _ask(scene, store, SOON)
    there = frozenset(str(form).replace("-", "_") for form, _ in found["forms"])
    return Facts({"soon": str(soon[0][1] if soon else 0)}, there, tables)


def _journal(scene: Scene, language: str) -> Facts:
    store, said = scene.journal, words(language)
    decisions = _ask(scene, store, DECISIONS)
    amber = {reason: count for decision, reason, count in decisions if decision == Decision.REFER}
    presented = _first(scene, store, PRESENTED) or 0
    oldest = _first(scene, store, "SELECT min(at) FROM entry")
    texts = {
        "rows": str(_first(scene, store, "SELECT count(*) FROM entry") or 0),
        "oldest": day(oldest) if oldest else "-",
        "presentations": str(presented),
        "amber": str(sum(amber.values())),
        "diary": str(amber.get(Reason.NOT_ENROLLED.value, 0)),
        "head": str(_first(scene, store, HEAD) or "-"),
    }
    rows = [(said.get(kind, kind), _sentence(reason, language), str(count)) for kind, reason, count in decisions]
    return Facts(texts, frozenset({"decided"} if presented else ()), {"decisions": rows})


def _sentence(reason: str, language: str) -> str:
    """A reason as the supervisor reads it."""
    try:
        return Words(language).supervisor(Phase.REFER, Verdict(Reason(reason)))
    except ValueError:
        return reason  # of a newer version, or of nobody's


def _ask(scene: Scene, store: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of an answer; none of a store that is not there yet."""
    try:
        return scene.ask(store, query)
    except NotThereYet:
        return []


def _first(scene: Scene, store: Path, query: str) -> Any:
    rows = _ask(scene, store, query)
    return rows[0][0] if rows else None
