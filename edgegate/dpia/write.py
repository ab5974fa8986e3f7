"""The document as Markdown, for whatever the school writes with, and as a page of its own."""

from __future__ import annotations

import re
from html import escape

from edgegate.dpia.document import Block, Bullets, Document, Table, Text
from edgegate.prove.page import element, page

_CODE = re.compile(r"`([^`]+)`")


def markdown(document: Document) -> str:
    """CommonMark, with the tables of GitHub's."""
    parts = [f"# {document.title}", document.subtitle]
    for section in document.sections:
        parts.append(f"## {section.heading}")
        parts += [_in_markdown(block) for block in section.blocks]
    return "\n\n".join(parts).replace("<", "&lt;") + "\n"  # a gate may be called anything


def html(document: Document) -> str:
    """One page, as the report of `edgegate prove` is."""
    parts = [element("h1", document.title), element("p", document.subtitle, "quiet")]
    for section in document.sections:
        parts.append(element("h2", section.heading))
        parts += [_in_html(block) for block in section.blocks]
    return page(document.title, document.language, "\n".join(parts))


def _in_markdown(block: Block) -> str:
    match block:
        case Text(text, note):
            return f"> {text}" if note else text
        case Bullets(items):
            return "\n".join(f"- {item}" for item in items)
        case Table(head, rows):
            return "\n".join(_row(cells) for cells in (head, ("---",) * len(head), *rows))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _in_html(block: Block) -> str:
    match block:
        case Text(text, note):
            return f"<p{' class=' + chr(34) + 'note' + chr(34) if note else ''}>{_inline(text)}</p>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
        case Table(head, rows):
            lines = [f"<tr>{''.join(f'<th>{_inline(cell)}</th>' for cell in head)}</tr>"]
            lines += [f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in cells)}</tr>" for cells in rows]
            return f"<table>{''.join(lines)}</table>"


def _inline(text: str) -> str:
    """Text with `commands` in it."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
