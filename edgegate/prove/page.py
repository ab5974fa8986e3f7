"""A page on its own: dark on white, no script, nothing from elsewhere, for a screen and for A4 paper."""

from __future__ import annotations

from html import escape
from importlib.resources import files


def page(title: str, language: str, body: str) -> str:
    """A whole document around a body that is HTML already."""
    style = files("edgegate.prove").joinpath("page.css").read_text("utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def element(name: str, text: str, kind: str = "") -> str:
    """An element around plain text."""
    return f"<{name}{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{escape(text)}</{name}>"
