"""The house stays as DESIGN draws it: who may import whom, small documented modules, complete words."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

import edgegate
from edgegate.model import DECISION_OF, FAULTS, RECORDED_FAULTS, Detail, Reason
from edgegate.state import HintKind, Phase
from edgegate.words import LANGUAGES

PACKAGE = Path(edgegate.__file__).parent
MODULES = {
    ".".join(("edgegate", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
HEART = frozenset(f"edgegate.{name}" for name in ("decision", "looks", "state", "model", "errors"))
ADAPTERS = frozenset(
    f"edgegate.{name}" for name in ("badges", "camera", "faces", "liveness", "signals", "vault", "journal")
)
ABOVE = frozenset(
    f"edgegate.{name}"
    for name in (
        *("gate", "pace", "fast_pace", "decision", "adapters", "app", "cli", "config", "demo", "bench"),
        *("enrolment", "deploy", "doctor", "notify", "logs", "trusted_clock", "wiring"),
        *("watch", "forgetting", "erasure", "sessions", "prove", "dpia", "calibration"),
    )
)
ROOTS = frozenset(
    f"edgegate.{name}"
    for name in (
        *("adapters", "app", "enrolment", "demo", "cli", "testing", "bench", "doctor"),
        *("prove", "dpia", "calibration"),
    )
)
ENGINES = {
    "edgegate.faces.insightface_engine": {"insightface", "onnxruntime"},
    "edgegate.faces.dlib_engine": {"dlib"},
    "edgegate.liveness.minifasnet": {"onnxruntime"},
    "edgegate.liveness.insightface_addon": {"insightface"},
    "edgegate.liveness.session": {"onnxruntime"},
    "edgegate.faces.opencv_engine": {"onnxruntime"},
}
MAX_LINES = 400


@cache
def imports(module: str) -> frozenset[str]:
    """Everything a module imports, wherever in it: house modules in full, others by their first name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative path"
            source = node.module or ""
            inner = {f"{source}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else source for name in inner}
    return frozenset(name if name in MODULES else name.partition(".")[0] for name in found)


def house(module: str) -> frozenset[str]:
    """What a module imports of the house."""
    return frozenset(name for name in imports(module) if name in MODULES)


def part(module: str) -> str:
    """The first level below the top that a module belongs to: `edgegate.vault.seal` is of `edgegate.vault`."""
    return ".".join(module.split(".")[:2])


def test_the_guard_sees_imports() -> None:
    """The rules below are not empty: the walk finds what is known to be imported, inside functions too."""
    assert {"edgegate.decision", "edgegate.ports"} <= house("edgegate.gate")
    assert "edgegate.faces.dlib_engine" in house("edgegate.adapters")
    assert {part(name) for name in MODULES} >= HEART | ADAPTERS | ABOVE | ROOTS


@pytest.mark.parametrize("module", sorted(HEART))
def test_the_heart_imports_only_itself(module: str) -> None:
    """Decision, looks, state, model and errors know nothing else of the house."""
    assert frozenset() == house(module) - HEART


def test_the_decision_is_pure() -> None:
    """No third party, thread, clock, database or picture in the decision."""
    outside = imports("edgegate.decision") - house("edgegate.decision")
    assert set() == outside - set(sys.stdlib_module_names)
    assert set() == outside & {
        "threading",
        "time",
        "datetime",
        "sqlite3",
        "queue",
        "asyncio",
        "random",
        "os",
        "logging",
    }


def test_ports_speak_of_values_only() -> None:
    """The contracts are made of the model and the state."""
    assert frozenset() == house("edgegate.ports") - {"edgegate.model", "edgegate.state"}
    assert frozenset() == house("edgegate.stores") - {"edgegate.model"}


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) in ADAPTERS])
def test_adapters_know_neither_each_other_nor_what_is_above(module: str) -> None:
    """An adapter can be exchanged without a look at the others, the loop or the commands."""
    forbidden = (ADAPTERS - {part(module)}) | ABOVE
    assert set() == {name for name in house(module) if part(name) in forbidden}


@pytest.mark.parametrize("module", ["edgegate.gate", "edgegate.watch", "edgegate.pace", "edgegate.fast_pace"])
def test_the_loop_knows_no_adapter(module: str) -> None:
    """Gate and paces are handed everything they touch."""
    assert set() == {name for name in house(module) if part(name) in ADAPTERS | ROOTS}


def test_only_composition_roots_name_adapters() -> None:
    """Concrete adapters are named in adapters, app, enrolment, demo, doctor, commands and testing only."""
    naming = {part(name) for name in MODULES if any(part(used) in ADAPTERS for used in house(name))}
    assert set() == naming - ADAPTERS - ROOTS


def test_nothing_imports_the_commands() -> None:
    """The command line is on top: only `python -m edgegate` reaches for it."""
    users = {name for name in MODULES if any(part(used) == "edgegate.cli" for used in house(name))}
    assert {"edgegate.__main__"} == {name for name in users if part(name) != "edgegate.cli"}


def test_imports_go_in_circles_nowhere() -> None:
    """Imports go down only: no module reaches itself."""

    def below(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for name in house(module):
                below(name, (*path, module))
            done.add(module)

    done: set[str] = set()
    for module in MODULES:
        below(module, ())


@pytest.mark.parametrize("library", ["insightface", "onnxruntime", "dlib"])
def test_face_libraries_stay_in_their_engines(library: str) -> None:
    """Each face library is named in the one engine that needs it."""
    assert {name for name, uses in ENGINES.items() if library in uses} == {
        name for name in MODULES if library in imports(name)
    }


def test_the_command_line_loads_no_face_library() -> None:
    """`edgegate check` on a small board does not pay for engines it does not use."""
    code = "import sys, edgegate.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "edgegate" in loaded
    assert set() == loaded & {
        "insightface",
        "onnxruntime",
        "dlib",
        "onnx",
        "scipy",
        "skimage",
        "face_recognition_models",
    }


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_small_and_say_what_they_are(module: str) -> None:
    """Every module has a docstring and at most 400 lines."""
    text = MODULES[module].read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= MAX_LINES


def sentences(language: str) -> dict[str, dict[str, str]]:
    """One language's file as it is."""
    words: dict[str, dict[str, str]] = yaml.safe_load((PACKAGE / "words" / f"{language}.yaml").read_text("utf-8"))
    return words


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_complete(language: str) -> None:
    """Each language has a sentence for everything that can be shown, and for nothing else."""
    outcomes = {Phase.GRANTED, Phase.ALARM, Phase.REFER}
    expected = {
        "state": set(Phase),
        "student": {*(set(Phase) - outcomes), *(set(DECISION_OF) - FAULTS)},
        "supervisor": set(Reason),
        "detail": set(Detail) | RECORDED_FAULTS,
        "again": set(RECORDED_FAULTS),
        "hint": set(HintKind),
    }
    words = sentences(language)
    assert expected == {chapter: set(lines) for chapter, lines in words.items()}
    assert all(
        isinstance(line, str) and line.strip() == line != "" for part in words.values() for line in part.values()
    )


def test_the_languages_differ() -> None:
    """No sentence was left in another language."""
    first, second = (sentences(language) for language in ("fr", "en"))
    same = {
        (chapter, key) for chapter in first for key in first[chapter] if first[chapter][key] == second[chapter][key]
    }
    assert set() == same
