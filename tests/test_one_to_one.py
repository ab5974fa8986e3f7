"""One badge, one template, one comparison: there is no other way to a template, and nothing to search one with.

The first half reads the source: who may touch what. The second half counts, while the whole gate runs.
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import yaml

import edgegate
from edgegate import model, stores
from edgegate.faces.look import FaceLook
from edgegate.model import Credential, Standing, Template, Unsealed
from edgegate.vault import secret
from edgegate.vault.store import SqliteVault
from tests.conftest import Site
from tests.scenario import Scenario, load, play, prepare

PACKAGE = Path(edgegate.__file__).parent
SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))

FACES = frozenset({"Image", "Vector", "Frame", "Face", "NDArray", "ndarray", "Photo", "MatLike"})
"""What a person's face can come in, in annotations."""
VAULTS = frozenset({"Vault", "SqliteVault", "Badges"})
TEMPLATES = frozenset({"Template", "Unsealed"})

CALLS = {
    # The vault's own method, and what it is made of.
    "unseal": {
        "edgegate/gate.py": "the comparison of a presentation",
        "edgegate/enrolment.py": "a badge is renewed, with the old one in hand",
        "edgegate/bench.py": "the time it takes, with templates of ones in a vault of its own",
        "edgegate/vault/store.py": "the vault",
    },
    "unseal_plain": {"edgegate/vault/store.py": "the vault"},
    "unseal_on_badge": {"edgegate/vault/store.py": "the vault"},
    "decrypt": {},
    "decrypt_into": {"edgegate/vault/seal.py": "the vault"},
    "take": {
        "edgegate/faces/comparison.py": "the one comparison",
        "edgegate/enrolment.py": "the template goes onto the new badge",
        "edgegate/model.py": "wiping what was never taken",
    },
    # What is made is made where a face was measured, or a badge read.
    "Template": {
        "edgegate/vault/seal.py": "opened with its badge",
        "edgegate/faces/photos.py": "from the photographs of an enrolment",
        "edgegate/bench.py": "ones, nobody's",
    },
    "Unsealed": {"edgegate/vault/store.py": "the vault"},
    "Credential": {"edgegate/badges/credential.py": "read from a badge and verified, or a new badge"},
    "Comparison": {"edgegate/faces/look.py": "the face side of a presentation"},
    "begin": {
        "edgegate/gate.py": "the comparison of a presentation",
        "edgegate/faces/look.py": "liveness, which takes no template",
        "edgegate/doctor/faces.py": "the same, to take its time",
    },
}
"""Who may call these, and why; whatever they are called on."""


@cache
def modules() -> dict[str, ast.Module]:
    return {str(path.relative_to(PACKAGE.parent)): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


@dataclass(frozen=True)
class Function:
    """A function or method: where it is, and the annotations of what it takes and gives."""

    where: str
    takes: tuple[ast.expr, ...]
    gives: ast.expr | None
    lacks: tuple[str, ...]
    """Parameters without an annotation."""


def functions() -> Iterator[Function]:
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                given += [extra for extra in (node.args.vararg, node.args.kwarg) if extra is not None]
                yield Function(
                    f"{path}:{node.name}",
                    tuple(argument.annotation for argument in given if argument.annotation is not None),
                    node.returns,
                    tuple(arg.arg for arg in given if arg.annotation is None and arg.arg not in ("self", "cls")),
                )


def names(annotation: ast.AST | None) -> frozenset[str]:
    """Every name in an annotation; the last one of a dotted name, and those in quotes."""
    found = set[str]()
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):  # a word of a Literal, not an annotation in quotes
                found |= names(ast.parse(node.value, mode="eval"))
    return frozenset(found)


def several(annotation: ast.AST | None) -> bool:
    """Is this more than one template: a list, a mapping, a stream, a pair of them? One beside something else is one."""
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Subscript) and names(node.slice) & TEMPLATES:
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            fixed = names(node.value) == {"tuple"} and not any(isinstance(part, ast.Constant) for part in parts)
            if not names(node.value) & {"Callable"} and not (
                fixed and 1 == len([part for part in parts if names(part) & TEMPLATES])
            ):
                return True
    return False


@cache
def calls() -> dict[str, set[str]]:
    """Each name that is called, and the modules that do."""
    found = defaultdict[str, set[str]](set)
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found[last_name(node.func)].add(path)
    return found


def callers(name: str) -> set[str]:
    return calls().get(name, set())


def mentioned(path: str) -> set[str]:
    """What a module imports or defines, by name."""
    found = set[str]()
    for node in ast.walk(modules()[path]):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
    return found


def last_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_the_guards_see_what_they_look_for() -> None:
    """Each rule below would find a breach: here are some."""
    code = (
        "def search(probe: Vector, among: dict[bytes, Template]) -> bytes: ...\n"
        "def find(face: Image, vault: 'Vault | None') -> str: ...\n"
        "def every(vault: Vault) -> Iterator[model.Unsealed]: ...\n"
        "def pair(both: tuple[Template, Template], more: tuple[Template, ...]) -> None: ...\n"
        "def one(template: Template | None, look: Callable[[Template], bool]) -> tuple[Unsealed, Consent]: ..."
    )
    search, find, every, pair, one = (node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef))
    assert several(search.args.args[1].annotation)
    assert names(find.args.args[1].annotation) & VAULTS
    assert names(find.args.args[0].annotation) & FACES
    assert several(every.returns)
    assert all(several(argument.annotation) for argument in pair.args.args)
    assert not any(several(argument.annotation) for argument in one.args.args)
    assert not several(one.returns)
    assert "edgegate/vault/store.py" in callers("unseal")


@pytest.mark.parametrize("name", CALLS)
def test_only_these_open_or_make_one(name: str) -> None:
    """A new caller is a new way to a template: it has to be thought about, and named here."""
    found = callers(name)
    if name in ("take", "begin"):  # other things are taken and begun too, where no template can be
        near = {path for path in modules() if mentioned(path) & {"Unsealed", "Faces", "FaceLook", "FaceSide"}}
        found &= near | callers("unseal")
    assert set(CALLS[name]) == found


def test_every_function_says_what_it_takes() -> None:
    """The rules below go by annotations: none is missing."""
    assert [] == [function.where for function in functions() if function.lacks or function.gives is None]


def test_no_function_takes_or_gives_a_set_of_templates() -> None:
    """Neither list nor mapping nor stream of them exists, so nothing can be searched."""
    assert [] == [function.where for function in functions() if any(map(several, (*function.takes, function.gives)))]
    fields = [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and several(node.annotation)
    ]
    assert [] == fields


def test_no_function_takes_a_face_and_the_vault() -> None:
    """Nobody is looked up by face: who is at hand is said by the badge."""
    for function in functions():
        taken = frozenset().union(*map(names, function.takes))
        assert not (taken & FACES and taken & VAULTS), function.where
        assert not (taken & FACES and names(function.gives) & {"Standing", "Consent", "Credential"}), function.where


def test_the_vault_takes_no_face_and_gives_one_template_for_a_badge() -> None:
    """Its port has one method that gives a template, for a verified badge. The adapter has two methods more: one
    writes the file anew, one gives what is held of a badge as it lies there, sealed."""
    port = dict(inspect.getmembers(stores.Vault, inspect.isfunction))
    own = dict(inspect.getmembers(SqliteVault, inspect.isfunction))
    public = {name for name in own if not name.startswith("_")}
    assert {"compact", "held"} == public - set(port)
    for methods in (port, {name: own[name] for name in public}):
        giving = {}
        for name, method in methods.items():
            if name.startswith("_"):
                continue
            hints = typing.get_type_hints(method)
            given = hints.pop("return")
            assert not {model.Frame, model.Look} & set(hints.values()), name
            assert "ndarray" not in str(hints), name
            if given in (Template, Unsealed):
                giving[name] = hints
        assert {"unseal": {"credential": Credential, "pack_id": str}} == giving


def test_the_face_side_takes_one_template_and_knows_no_vault() -> None:
    """`begin` takes the handle of one comparison, `look` a picture; what comes out is a word, not a score or a name."""
    assert {"unsealed": Unsealed, "return": type(None)} == typing.get_type_hints(FaceLook.begin)
    assert {"image": model.Image, "return": model.Look} == typing.get_type_hints(FaceLook.look)
    for path, tree in modules().items():
        if path.startswith("edgegate/faces/"):
            imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            assert not {name for name in imported if (name and "vault" in name) or name == "edgegate.stores"}, path


@dataclass
class Counts:
    """What was asked of the vault, in order: each badge that was looked up or unsealed."""

    asked: list[tuple[str, bytes]] = field(default_factory=list)
    taken: int = 0

    def unsealed(self) -> list[bytes]:
        return [badge for what, badge in self.asked if what == "unseal"]


class CountingVault(SqliteVault):
    """The real vault, which keeps count."""

    counts = Counts()

    def standing(self, credential: Credential) -> Standing:
        self.counts.asked.append(("standing", credential.badge_id))
        return super().standing(credential)

    def unseal(self, credential: Credential, pack_id: str) -> Unsealed:
        self.counts.asked.append(("unseal", credential.badge_id))
        return super().unseal(credential, pack_id)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Of the next gate that runs."""
    counts = CountingVault.counts = Counts()
    take = Unsealed.take

    def counted(unsealed: Unsealed) -> Template:
        counts.taken += 1
        return take(unsealed)

    monkeypatch.setattr(Unsealed, "take", counted)
    monkeypatch.setattr(
        "edgegate.app.open_vault",
        lambda config, create: CountingVault(config.vault.path, secret.load(config.vault.site_secret), create=create),
    )
    return counts


PRESENTATIONS = """
title: Two volunteers, one of them with another's face, and everybody who has no template here
config: {faces: {timeout_s: 1}, gate: {hold: {granted_s: 1, refer_s: 1, alarm_s: 1}}}
people:
  ana: {kind: volunteer}
  ben: {kind: volunteer}
  zoe: {kind: diary}
  dan: {kind: volunteer, revoked: true}
  sam: {kind: stranger}
  eve: {kind: bad_signature}
events:
  - {at: 0.5, show: {faces: [ana], codes: [ana]}}
  - {at: 1.0, show: {}}
  - {at: 4.0, show: {faces: [chloe], codes: [ben]}}
  - {at: 6.0, show: {}}
  - {at: 9.0, show: {faces: [ana], codes: [zoe]}}
  - {at: 9.5, show: {}}
  - {at: 13.0, show: {faces: [ana], codes: [dan]}}
  - {at: 13.5, show: {}}
  - {at: 17.0, show: {faces: [ana], codes: [sam]}}
  - {at: 17.5, show: {}}
  - {at: 21.0, show: {faces: [ana], codes: [eve]}}
  - {at: 21.5, show: {}}
  - {at: 25.0, show: {faces: [ana], codes: [ana]}}
decisions: []
glances: []
until: 26.0
"""


def test_one_unseal_for_each_presentation_of_a_volunteer(site: Site, tmp_path: Path, counts: Counts) -> None:
    """However many frames were looked at; none for anybody else; each is taken for its one comparison."""
    stage = prepare(site, Scenario.model_validate(yaml.safe_load(PRESENTATIONS)))
    played = play(stage, tmp_path / "play")
    assert ["match", "no_match", "not_enrolled", "revoked", "unknown_badge", "forged", "match"] == [
        reason for _, reason, *_ in played.decisions
    ]
    unsealed = counts.unsealed()
    assert 3 == len(unsealed)
    assert unsealed[0] == unsealed[2] != unsealed[1]
    assert 3 == counts.taken
    assert played.face_calls[1] > 3  # embeddings: several looks, one template


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_no_presentation_unseals_twice(file: Path, site: Site, tmp_path: Path, counts: Counts) -> None:
    """Whatever happens at the gate: an unseal follows the look-up of that very badge, and no second one follows it."""
    play(prepare(site, load(file)), tmp_path / "play")
    before: tuple[str, bytes] | None = None
    for what, badge in counts.asked:
        if what == "unseal":
            assert ("standing", badge) == before
        before = what, badge
    assert counts.taken <= len(counts.unsealed())
