"""What the gate says to people, in the languages it speaks: one YAML file each, checked to be complete."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import cast

import yaml

from edgegate.model import Reason, Verdict
from edgegate.state import HintKind, Phase

LANGUAGES = ("fr", "en")


def sheet(language: str) -> dict[str, str]:
    """The sentences of `edgegate consent show`, for a person who asks what is kept; `{names}` stand for what is."""
    return cast(dict[str, str], _read(f"consent.{language}.yaml"))


class Words:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self._all = _load(language)

    def state(self, phase: Phase, faults: frozenset[Reason] = frozenset()) -> str:
        """The gate's state in a sentence; names the faults when there are any."""
        sentence = self._all["state"][phase.value]
        named = "; ".join(self._all["supervisor"][fault.value] for fault in sorted(faults))
        return f"{sentence} {named}" if named and phase is Phase.FAULT else sentence

    def student(self, phase: Phase, verdict: Verdict | None) -> str:
        """What the student reads; never an accusation, and nothing a bystander could use."""
        key = verdict.reason.value if verdict is not None else phase.value
        again = self._all["again"].get(verdict.detail or "") if verdict is not None else None
        return again if again is not None else self._all["student"][key]

    def supervisor(self, phase: Phase, verdict: Verdict | None) -> str:
        """What the supervisor reads: the reason, and what to do."""
        if verdict is None:
            return self._all["state"][phase.value]
        sentence = self._all["supervisor"][verdict.reason.value]
        detail = self._all["detail"].get(verdict.detail or "") or self._all["supervisor"].get(verdict.detail or "")
        return f"{sentence} ({detail})" if detail else sentence

    def hint(self, kind: HintKind) -> str:
        return self._all["hint"][kind.value]


@cache
def _load(language: str) -> dict[str, dict[str, str]]:
    return cast(dict[str, dict[str, str]], _read(f"{language}.yaml"))


def _read(name: str) -> object:
    return yaml.safe_load(files("edgegate.words").joinpath(name).read_text("utf-8"))
