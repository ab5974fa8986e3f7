"""The sentences of the report, in the languages of the house."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml

from edgegate.prove.report import Line, Result

_BEFORE, _AFTER = re.compile(" ([;:?!»])"), re.compile("(«) ")


class Sentences:
    """Those of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._all = _load(language)

    def page(self, key: str, **values: object) -> str:
        return str(self._all["page"][key]).format_map(values)

    def result(self, result: Result) -> str:
        return str(self._all["result"][result.value])

    def group(self, name: str) -> str:
        return str(self._all["groups"][name])

    def claim(self, line: Line) -> str:
        """What is claimed, or promised."""
        if line.result is Result.PROMISE:
            return str(self._all["promises"][line.name.partition(".")[2]])
        return str(self._all["claims"][line.name]["claim"])

    def how(self, line: Line) -> str:
        return "" if line.result is Result.PROMISE else str(self._all["claims"][line.name]["how"])

    def says(self, line: Line) -> str:
        """What was found; nothing of a promise."""
        if line.result is Result.PROMISE:
            return ""
        sentence = self._all["claims"][line.name].get(line.found.key) or self._all["shared"][line.found.key]
        return str(sentence).format_map(line.found.values)


@cache
def _load(language: str) -> dict[str, Any]:
    text = files("edgegate.prove").joinpath(f"{language}.yaml").read_text("utf-8")
    return cast(dict[str, Any], typeset(yaml.safe_load(text), language))


def typeset(part: Any, language: str) -> Any:
    """All sentences below, with the spaces before French punctuation made so that no line begins with it."""
    if isinstance(part, dict):
        return {key: typeset(value, language) for key, value in part.items()}
    if isinstance(part, list):
        return [typeset(value, language) for value in part]
    if not isinstance(part, str) or language != "fr":
        return part
    return _AFTER.sub("\\1\u00a0", _BEFORE.sub("\u00a0\\1", part))
