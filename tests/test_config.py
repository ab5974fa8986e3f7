"""The configuration: what loads, and every mistake at once with file, line, key, value and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from edgegate.config import Config, QrReader, StdinReader
from edgegate.config_file import load, load_defaults
from edgegate.errors import ConfigError, EdgeGateError
from tests.conftest import ROOT

EXAMPLE = ROOT / "config.example.yaml"

FIXED = """\
gate:    {name: "Porte A", language: fr, hold: {granted_s: 2, refer_s: 20, alarm_s: 15}}
camera:  {source: "v4l2:/dev/video0", width: 1280, height: 720, fps: 15, max_age_s: 1.0, pace: real}
badges:  {readers: [{kind: qr, decoder: both}], issuers: [issuer.pub], allow_plain: false}
faces:   {pack: auto, models_dir: models, timeout_s: 3.0, min_probes: 3, target_fmr: 1.0e-4}
signals: {pins: mock, green: 17, amber: 27, red: 22, buzzer: 23, acknowledge: 24, diary: 25, buzzer_max_s: 15}
vault:   {path: vault.db, site_secret: site.key}
journal: {path: journal.db, retention_days: 30}
"""
"""The keys that are fixed for good."""

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes config.yaml."""

    def to_file(text: str | bytes) -> Path:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


def mistakes(path: Path) -> list[str]:
    """What the loader says of a file, one line a mistake, without the path."""
    with pytest.raises(ConfigError) as refused:
        load(path)
    problems = refused.value.problems
    assert problems
    assert "\n".join(problems) == str(refused.value)
    for problem in problems:
        assert problem.startswith(str(path))
        assert [problem] == problem.splitlines()
    return [problem.removeprefix(str(path)) for problem in problems]


def flat(raw: object, key: str = "") -> dict[str, object]:
    """Nested keys with points between them."""
    if not isinstance(raw, dict):
        return {key: raw}
    return {name: value for inner, below in raw.items() for name, value in flat(below, f"{key}.{inner}").items()}


def keys_of(model: type[BaseModel], key: str = "") -> Iterator[str]:
    """Every key of the models, with points between them."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys_of(field.annotation, f"{key}.{name}")
        elif name != "file":
            yield f"{key}.{name}"


def settings_of(config: Config) -> dict[str, object]:
    return flat(config.model_dump(exclude={"file"}))


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    """`config.example.yaml` loads as it is, and what it shows is what a key left out would be."""
    assert settings_of(load_defaults(ROOT)) == settings_of(load(EXAMPLE))


def test_the_example_has_every_key_with_a_comment() -> None:
    """No key of the models is missing from the example, none stands there without a word about it."""
    text = EXAMPLE.read_text("utf-8")
    lines = text.splitlines()
    places: dict[str, int] = {}

    def walk(node: yaml.Node | None, key: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                places[f"{key}.{name.value}"] = name.start_mark.line
                walk(value, f"{key}.{name.value}")

    walk(yaml.compose(text), "")
    expected = list(keys_of(Config))
    assert {".gate.hold.alarm_s", ".badges.readers", ".journal.path"} < set(expected)
    assert set() == set(expected) - set(places)
    assert [] == [key for key in expected if not re.search(r"\s# \S", lines[places[key]])]
    assert all(f"{name}:" in text for model in (QrReader, StdinReader) for name in model.model_fields)


def test_the_fixed_keys_all_exist(write: Write) -> None:
    """The keys promised to every later version, with their values, are accepted and stand in the example."""
    config = load(write(FIXED))
    raw = flat(yaml.safe_load(FIXED))
    assert set() == set(raw) - set(flat(yaml.safe_load(EXAMPLE.read_text("utf-8"))))
    read = settings_of(config)
    paths = {".badges.issuers", ".faces.models_dir", ".vault.path", ".vault.site_secret", ".journal.path"}
    differing = {key for key in raw if read[key] != raw[key]}
    assert paths | {".badges.readers"} == differing
    assert (QrReader(kind="qr", decoder="both"),) == config.badges.readers


def test_every_mistake_is_told_at_once(write: Write) -> None:
    """One run shows all there is to mend: each with its line, key, value and a hint."""
    path = write(
        """\
# a comment
gates: {name: x}
gate:
  name: 7
  languge: fr
  hold: {granted_s: -1}
camera:
  source: webcam
  pace: fast

  width: "1280"
badges:
  readers:
    - {kind: qr, decoder: both}
    - kind: qx
  allow_plain: true
faces:
  target_fmr: 1e-4
  min_probes: 3
  min_probes: 4
signals:
  green: 22
  pins: lgpoi
journal: {retention_days: 365}
"""
    )
    expected = [
        ':2: gates: unknown key (value …); did you mean "gate"?',
        ":4: gate.name: must be a valid string (value 7)",
        ":5: gate.languge: unknown key (value 'fr'); did you mean \"language\"?",
        ":6: gate.hold.granted_s: must be greater than 0 (value -1)",
        ":8: camera.source: must be one of v4l2, picamera2, gstreamer, rtsp, frames, video, demo (value 'webcam'); "
        "such as v4l2:/dev/video0 or frames:pictures",
        ":9: camera.pace: only recordings can be played fast (value 'fast'); use pace: real with a camera",
        ":11: camera.width: must be a valid integer (value '1280'); write it without quotes",
        ":15: badges.readers.1: must be qr or stdin or hid or serial or wiegand (value 'qx'); did you mean \"qr\"?",
        ":16: badges.allow_plain: needs badges.formats (value True); such as formats: [typed]",
        ":18: faces.target_fmr: must be a valid number (value '1e-4'); "
        "write a number with a point, without quotes, such as 1.0e-4",
        ":20: faces.min_probes: written twice; keep one of the two",
        ":22: signals.green: pin 22 is already used by red (value 22); every pin has one use",
        ":23: signals.pins: must be mock, lgpio or gpiod:/dev/gpiochipN (value 'lgpoi')",
        ":24: journal.retention_days: must be less than or equal to 90 (value 365)",
    ]
    found = mistakes(path)
    assert expected == sorted(found, key=lambda line: int(line.split(":")[1]))
    assert expected == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("camera:\n  pace: fast\n", [":2: camera.pace: only recordings"]),
        ("camera: {source: 'v4l2:/dev/video1', pace: fast}", [":1: camera.pace: only recordings"]),
        ("camera:\n  source: 'frames:'", [":2: camera.source: frames takes a folder (value 'frames:')"]),
        ("camera: {source: 'demo:x'}", [":1: camera.source: demo takes nothing after it (value 'demo:x')"]),
        ("signals:\n  red: 5\n  diary: 5", [":3: signals.diary: pin 5 is already used by red (value 5)"]),
        ("signals:\n  green: 27", [":2: signals.green: pin 27 is already used by amber (value 27)"]),
        ("signals: {green: yes}", [":1: signals.green: must be a valid integer (value True)"]),
        ("signals: {green: 17.0}", [":1: signals.green: must be a valid integer (value 17.0)"]),
        ("signals:\n  buzzer: 28", [":2: signals.buzzer: must be at most 27, the last pin of a Raspberry Pi"]),
        ("signals:\n  buzzer: 1024", [":2: signals.buzzer: must be less than or equal to 1023 (value 1024)"]),
        ("faces: {timeout_s: .nan}", [":1: faces.timeout_s: must be a finite number (value nan)"]),
        ("camera: {fps: .inf}", [":1: camera.fps: must be a finite number (value inf)"]),
        ("gate: {name: 2026-01-31}", [":1: gate.name: must be a valid string"]),
        ("gate: {name: ''}", [":1: gate.name: "]),
        ('gate: {name: "a\\nb"}', [":1: gate.name: "]),
        ("gate:\ncamera:", [":1: gate: must be a section with keys", ":2: camera: must be a section with keys"]),
        ("gate: [name, x]", [":1: gate: must be a section with keys"]),
        ("vault: {path: ''}", [":1: vault.path: must be a path (value '')"]),
        ('vault: {path: "a\\0b"}', [":1: vault.path: must be a path"]),
        ("vault: {path: '~nobody-has-this-name/x'}", [":1: vault.path: "]),
        ("journal: {path: /}", [":1: journal.path: "]),
        ("badges: {issuers: [/]}", [":1: badges.issuers.0: "]),
        ("badges: {issuers: [issuer.key]}", [":1: badges.issuers.0: "]),
        ("badges: {issuers: issuer.pub}", [":1: badges.issuers: "]),
        ("badges: {readers: []}", [":1: badges.readers: "]),
        ("badges: {readers: [{decoder: both}]}", [":1: badges.readers.0: a reader needs a kind"]),
        ("badges:\n  readers:\n  - {kind: stdin, decoder: both}", [":3: badges.readers.0.decoder: unknown key"]),
        ("badges: {readers: [{kind: qr}, {kind: qr}]}", [":1: badges.readers: two readers of kind qr"]),
        ("file: x.yaml", [":1: file: unknown key (value 'x.yaml')"]),
        ("1: x\ngate:\n  true: y\n  null: z", [":1: 1: ", ":3: gate.", ":4: gate."]),
        ("gate:\n  name: a\n  language: fr\n  2026-01-01: x", [":4: gate."]),
        ('gate: {"a\\nb": 1}', [":1: gate."]),
        ("gate: &gate\n  hold: *gate", [":2: gate.hold.hold: unknown key"]),
        (f"signals: {{green: 0x{'f' * 5000}}}", [":1: signals.green: must be less than or equal to 1023"]),
        (f"faces: {{pack: 'a', timeout_s: {'9' * 4000}}}", [":1: faces.timeout_s: "]),
        ("x: &x {green: 5}\nsignals:\n  <<: *x\n  green: 6", [":1: x: unknown key"]),
    ],
)
def test_single_mistakes(write: Write, text: str, expected: list[str]) -> None:
    """Each is found at its real line, and nothing else is said."""
    found = mistakes(write(text))
    assert len(expected) == len(found), found
    for start, line in zip(expected, found, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: the file is empty; copy config.example.yaml"),
        ("# only\n# comments\n", ":1: the file is empty; copy config.example.yaml"),
        ("---\n", ":1: the file is empty; copy config.example.yaml"),
        ("- gate\n- camera\n", ":1: expected sections such as `gate:`"),
        ("seventeen", ":1: expected sections such as `gate:`"),
        ("gate:\n\tname: x\n", ":2: this is not YAML"),
        ("gate: {name: x\ncamera: {fps: 15}\n", ":2: this is not YAML"),
        ("gate: {}\n---\ncamera: {}\n", ":2: this is not YAML"),
        ("gate: !!python/object/apply:os.getcwd []\n", ":1: this is not YAML"),
        ("? [a, b]\n: 1\n", ":1: this is not YAML"),
        ("camera: {}\ngate: {name: 2026-02-31}\n", ":2: "),
        ("camera: {}\ngate: {name: !!bool perhaps}\n", ":2: "),
        ("camera: {}\ngate: {name: !!int many}\n", ":2: "),
        ("camera: {}\ngate: {name: " + "9" * 5000 + "}\n", ":2: "),
        ("gate: " + "[" * 2000, ":"),
        ("gate: " + "{a: " * 2000, ":"),
        (bytes(range(256)), ": this is not YAML"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), ":"),
        ("gate: {name: Café}\n".encode("latin-1"), ": this is not YAML"),
    ],
)
def test_what_is_no_configuration_is_one_line(write: Write, text: str | bytes, expected: str) -> None:
    """Empty, foreign, broken or hostile files: one line, with the line number where one can be told."""
    (line,) = mistakes(write(text))
    assert line.startswith(expected)


def test_a_file_that_is_too_large_or_cannot_be_read_is_one_line(write: Write, tmp_path: Path) -> None:
    """A megabyte is no configuration; a folder and a missing file are named."""
    large = write("gate: {name: x}\n" + "# filler\n" * 120_000)
    for path, what in (
        (large, "is larger than 256 KiB"),
        (tmp_path, "cannot be read (Is a directory)"),
        (tmp_path / "none.yaml", "cannot be read (No such file or directory)"),
    ):
        with pytest.raises(EdgeGateError) as refused:
            load(path)
        assert str(refused.value).startswith(f"{path}: {what}; ")
        assert 2 == refused.value.exit_code


def test_a_bomb_of_aliases_stays_small(write: Write) -> None:
    """Nine to the twentieth values in a kilobyte: refused key by key, none unfolded."""
    names = [f"a{number}" for number in range(21)]
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]" for last, name in pairwise(names)]
    found = mistakes(write("\n".join([*lines, "gate: *a20", "badges: {readers: *a20, issuers: *a20}"])))
    assert {f":{number}: a{number - 1}: unknown key (value …)" for number in range(1, 22)} <= {
        line.partition(";")[0] for line in found
    }
    assert any(line.startswith(":22: gate: must be a section") for line in found)
    assert max(map(len, found)) < 300


def test_values_are_frozen(write: Write) -> None:
    """Nobody changes a configuration after it was checked."""
    config = load(write(FIXED))
    for target, name in ((config, "gate"), (config.gate, "name"), (config.gate.hold, "refer_s")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(target, name, getattr(target, name))
    assert (tuple, tuple) == (type(config.badges.readers), type(config.badges.issuers))


@pytest.mark.parametrize("text", [FIXED, "gate: {name: x}\n"])
def test_paths_are_relative_to_the_file(write: Write, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written or left out, a path means the same wherever the command is started, and needs nothing to exist."""
    path = write(text)
    monkeypatch.chdir("/")
    config = load(path)
    here = path.parent
    assert (here / "vault.db", here / "site.key") == (config.vault.path, config.vault.site_secret)
    assert (here / "journal.db", here / "models") == (config.journal.path, config.faces.models_dir)
    assert (here / "issuer.pub",) == config.badges.issuers
    assert [path] == list(here.iterdir())


def test_sources_and_packs_are_relative_too(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of frames, a video and a pack's folder; names and absolute paths stay as they are."""
    path = write("camera: {source: 'frames:pictures'}\nfaces: {pack: ./mine}\nvault: {path: /srv/vault.db}\n")
    monkeypatch.chdir(path.parent.parent)
    config = load(Path(path.parent.name) / path.name)
    assert ("frames", str(path.parent / "pictures")) == (config.camera.kind, config.camera.argument)
    assert (str(path.parent / "mine"), Path("/srv/vault.db")) == (config.faces.pack, config.vault.path)
    assert "buffalo_l" == load(write("faces: {pack: buffalo_l}")).faces.pack


def test_recordings_may_be_played_fast(write: Write) -> None:
    """`pace: fast` goes with frames, video and the demo."""
    for source in ("frames:x", "video:x.mp4", "demo"):
        assert "fast" == load(write(f"camera: {{source: '{source}', pace: fast}}")).camera.pace


WORDS = sorted({part for key in keys_of(Config) for part in key.split(".") if part} | {"kind", "decoder", "readers"})
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=8),
    st.sampled_from(["qr", "stdin", "fast", "demo", "v4l2:/dev/video0", "frames:x", "mock", "1e-4", "x/y", "~", "fr"]),
)
KEYS = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.text(max_size=6), st.integers(), st.booleans())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
SECTIONS = st.sampled_from(list(Config.model_fields))
DOCUMENTS = st.dictionaries(st.one_of(SECTIONS, SECTIONS, KEYS), st.dictionaries(KEYS, VALUES, max_size=4) | VALUES)


def loads_or_tells(path: Path) -> None:
    """Any file is a configuration, or one line for each mistake."""
    try:
        config = load(path)
    except ConfigError as refused:
        assert refused.problems
        for problem in refused.problems:
            assert [problem] == problem.splitlines()
            assert re.match(re.escape(str(path)) + r":(\d+:)? ", problem), problem
    else:
        assert path == config.file


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
@example(document={"gate": {"a\nb": 1}})
@example(document={"gate": {"name": "a\u2028b"}, "x\u2028y": 2})
def test_any_document_loads_or_tells_its_mistakes(tmp_path: Path, document: dict[Any, Any]) -> None:
    """Random documents of real and random keys: never another exception, never two lines for one mistake."""
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    loads_or_tells(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=60), st.text("gate: {}[]&*!|>-\n\t'\"#01e.~?", max_size=60).map(str.encode)))
def test_any_bytes_load_or_tell_what_is_wrong(tmp_path: Path, data: bytes) -> None:
    """Noise, and noise that looks like YAML: never another exception."""
    path = tmp_path / "any.yaml"
    path.write_bytes(data)
    loads_or_tells(path)
