"""A document as data: sections of paragraphs, notes, lists and tables, whose sentences have places for facts.

The files of the two languages say everything but the facts; what is true only of some gates stands under `when`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias, cast

import yaml

from edgegate.prove.words import typeset


@dataclass(frozen=True, slots=True)
class Facts:
    """What is put into the sentences: texts by name, what is true, and tables whose rows are counted."""

    texts: Mapping[str, str]
    true: frozenset[str]
    tables: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a note stands out."""

    text: str
    note: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Each row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block: TypeAlias = Text | Bullets | Table


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Ready to be written as Markdown or HTML."""

    language: str
    title: str
    subtitle: str
    sections: tuple[Section, ...]


def words(language: str) -> dict[str, str]:
    """The few words that facts are made of."""
    return cast(dict[str, str], load(language)["words"])


def fill(language: str, facts: Facts) -> Document:
    """The document of these facts. Raises KeyError when a sentence asks for one that is not there."""
    raw = load(language)
    sections = (
        Section(section["heading"], tuple(_block(block, raw, facts) for block in _true(section["blocks"], facts)))
        for section in raw["sections"]
    )
    return Document(language, raw["title"], raw["subtitle"].format_map(facts.texts), tuple(sections))


@cache
def load(language: str) -> dict[str, Any]:
    """The file of a language as it is."""
    text = files("edgegate.dpia").joinpath(f"{language}.yaml").read_text("utf-8")
    return cast(dict[str, Any], typeset(yaml.safe_load(text), language))


def _block(block: Mapping[str, Any], raw: Mapping[str, Any], facts: Facts) -> Block:
    if "table" in block:
        return _table(block["table"], raw, facts)
    if "list" in block:
        return Bullets(tuple(item.format_map(facts.texts) for item in block["list"]))
    kind = "note" if "note" in block else "p"
    return Text(block[kind].format_map(facts.texts), note=kind == "note")


def _table(table: Mapping[str, Any], raw: Mapping[str, Any], facts: Facts) -> Table:
    """Rows that are written out, or the name of those that are counted."""
    head = tuple(table["head"])
    if isinstance(table["rows"], str):
        rows = tuple(tuple(row) for row in facts.tables[table["rows"]])
        return Table(head, rows or ((raw["words"]["none"], *("-" for _ in head[1:])),))
    cells = (row["cells"] if isinstance(row, dict) else row for row in _true(table["rows"], facts))
    return Table(head, tuple(tuple(str(cell).format_map(facts.texts) for cell in row) for row in cells))


def _true(parts: Iterable[Any], facts: Facts) -> list[Any]:
    return [part for part in parts if not isinstance(part, dict) or part.get("when", "") in {"", *facts.true}]
