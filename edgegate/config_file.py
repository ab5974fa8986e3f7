"""Reads a YAML file into a `Config`, or lists every mistake in it: file, line, key, value, hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgegate.config import Config, OwnReader, QrReader
from edgegate.config_checks import Key, Problem, cross_checks
from edgegate.errors import ConfigError, EdgeGateError

SEARCHED = (Path("config.yaml"), Path("/etc/edgegate/config.yaml"))
MAX_BYTES = 256 * 1024

_TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_READERS = {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in (QrReader, *get_args(OwnReader))}


def find(named: Path | None) -> Path:
    """The configuration file to use: the one named, or the first of `SEARCHED` that exists."""
    if named is not None:
        return named
    for path in SEARCHED:
        if path.exists():
            return path
    raise EdgeGateError(
        "no configuration found",
        where=" and ".join(map(str, SEARCHED)),
        next="copy config.example.yaml to config.yaml, or name one with --config",
    )


def load(path: Path) -> Config:
    """Read and validate. Raises ConfigError with all mistakes, EdgeGateError when the file cannot be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise EdgeGateError(
            f"cannot be read ({error.strerror})", where=str(path), next="check the path and its permissions"
        ) from None
    if len(data) > MAX_BYTES:
        raise EdgeGateError(
            "is larger than 256 KiB", where=str(path), next="this is hardly a configuration: name another file"
        )
    raw, lines, problems = _parse(path, data)
    base = path.absolute().parent
    try:
        named = {key: value for key, value in raw.items() if isinstance(key, str)}
        config = Config.model_validate({**_all_sections(), **named, "file": path}, context={"base": base})
    except ValidationError as error:
        problems += [_translate(detail) for detail in _worth_telling(error.errors())]
    problems += cross_checks(raw)
    if problems:
        problems.sort(key=lambda problem: _line(lines, problem.key))
        raise ConfigError(str(path), [_describe(path, lines, problem) for problem in problems])
    return config


def load_defaults(base: Path) -> Config:
    """The configuration that an empty one would be, with paths relative to `base`."""
    return Config.model_validate(_all_sections(), context={"base": base})


def _all_sections() -> dict[str, Any]:
    """Sections left out are validated too, so that default paths become relative to the file."""
    return {name: {} for name, field in Config.model_fields.items() if name != "file" and field.default is not None}


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], dict[Key, int], list[Problem]]:
    lines: dict[Key, int] = {}
    try:
        loader = yaml.SafeLoader(data)
        node = loader.get_single_node()
        # Walked before it is built: building folds merged keys (`<<`) into the node.
        problems = list(_walk(node, (), lines, set())) if node is not None else []
        raw = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        said = f"{where}: this is not YAML: {' '.join(str(what).split())}; look at this line and the one above"
        raise ConfigError(where, [said]) from None
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError, AttributeError):
        where = f"{path}{_unreadable_line(data)}"
        said = f"{where}: a value cannot be read as YAML; compare with config.example.yaml"
        raise ConfigError(where, [said]) from None
    if raw is None:
        raise ConfigError(str(path), [f"{path}:1: the file is empty; copy config.example.yaml and edit it"])
    if not isinstance(raw, dict):
        said = f"{path}:1: expected sections such as `gate:`; compare with config.example.yaml"
        raise ConfigError(str(path), [said])
    if "file" in raw:
        problems.append(Problem(("file",), "unknown key", raw.pop("file")))
    return raw, lines, problems


def _unreadable_line(data: bytes) -> str:
    """`:12`, the first line whose value YAML's constructors choke on, such as a date that does not exist."""
    loader = yaml.SafeLoader(data)
    try:
        waiting = [loader.get_single_node()]
        while waiting:
            node = waiting.pop()
            if isinstance(node, yaml.ScalarNode):
                try:
                    loader.construct_object(node)
                except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError):
                    return f":{node.start_mark.line + 1}"
            elif isinstance(node, yaml.MappingNode):
                waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
            elif isinstance(node, yaml.SequenceNode):
                waiting += reversed(node.value)
    except (yaml.YAMLError, RecursionError):
        pass
    return ""


def _walk(node: yaml.Node, key: Key, lines: dict[Key, int], visited: set[int]) -> Iterator[Problem]:
    """Note the line of every key, and report keys written twice."""
    lines.setdefault(key, node.start_mark.line + 1)
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            inner = (*key, str(name.value))
            text = not isinstance(name, yaml.ScalarNode) or name.tag in _TEXT_TAGS
            if not text:
                yield Problem((*inner, "#kind"), "unknown key", hint="a key must be text: put it in quotes")
                lines[*inner, "#kind"] = name.start_mark.line + 1
            if str(name.value) in seen:
                yield Problem((*inner, "#twice"), "written twice", hint="keep one of the two")
                lines[*inner, "#twice"] = name.start_mark.line + 1
            seen.add(str(name.value))
            lines[inner] = name.start_mark.line + 1
            yield from _walk(value, inner, lines, visited)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*key, index), lines, visited)


def _worth_telling(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without what only follows from another mistake: keys that are no text (told with their line by `_walk`),
    and a list that is too short because its items are wrong."""
    places = [error["loc"] for error in errors]
    for error in errors:
        loc = error["loc"]
        follows = error["type"] == "too_short" and any(len(p) > len(loc) and p[: len(loc)] == loc for p in places)
        if error["type"] != "invalid_key" and not follows:
            yield error


def _translate(detail: ErrorDetails) -> Problem:
    """One pydantic error in our words."""
    key, kind, value = tuple(detail["loc"]), detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if len(key) > 2 and key[:2] == ("badges", "readers"):
        key = tuple(part for part in key if part not in _READERS)
    if kind == "extra_forbidden":
        return Problem(key, "unknown key", value, _did_you_mean(str(key[-1]), _names(key[:-1])))
    if kind in ("literal_error", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        choices = [part.strip(" '\"") for part in expected.replace(" or ", ", ").split(",")]
        tag = value.get("kind") if kind == "union_tag_invalid" and isinstance(value, dict) else value
        return Problem(key, f"must be {' or '.join(choices)}", tag, _did_you_mean(str(tag), choices))
    if kind == "union_tag_not_found":
        return Problem(key, "a reader needs a kind", value, "such as {kind: qr, decoder: both}")
    if kind == "source":
        return Problem(key, detail["msg"], value, "such as v4l2:/dev/video0 or frames:pictures")
    text = detail["msg"].removeprefix("Input should be ")
    hint = ""
    if isinstance(value, str) and kind in ("float_type", "int_type"):
        hint = (
            "write a number with a point, without quotes, such as 1.0e-4" if "e" in value else "write it without quotes"
        )
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        text, hint = "a section with keys below it", "compare with config.example.yaml"
    return Problem(key, f"must be {text}" if text != detail["msg"] else text, value, hint)


def _names(key: Key) -> list[str]:
    """The keys allowed in the section `key`."""
    model: Any = Config
    for part in key:
        if part == "readers":
            return list(dict.fromkeys(name for reader in _READERS.values() for name in reader.model_fields))
        field = getattr(model, "model_fields", {}).get(str(part))
        if field is None:
            return []
        model = field.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [name for name in model.model_fields if name != "file"]


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}" if known else ""


def _line(lines: Mapping[Key, int], key: Key) -> int:
    """The line of a key, or of the nearest section around it that the file has."""
    while key and key not in lines:
        key = key[:-1]
    return lines.get(key, 1)


def _describe(path: Path, lines: Mapping[Key, int], problem: Problem) -> str:
    # Names and values come from the file: escaped, so that each mistake stays one line.
    key = ".".join(str(part) for part in problem.key if part not in ("#twice", "#kind"))
    key = key if key.isprintable() else repr(key)[1:-1]
    try:
        shown = repr(problem.value) if isinstance(problem.value, str | int | float) else "…"
        if "@" in shown and "://" in shown:
            shown = "an address"  # which may carry a password
    except ValueError:
        shown = "a number too long to show"
    value = "" if problem.value is None else f" (value {shown[:60]})"
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{path}:{_line(lines, problem.key)}: {key}: {problem.text}{value}{hint}"
