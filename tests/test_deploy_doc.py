"""docs/deploy.md says what is: its commands parse, its configurations load, its files, keys and figures are real."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import yaml

from edgegate.camera import dark, feed
from edgegate.camera.people import portrait
from edgegate.cli import parser
from edgegate.config_file import load
from edgegate.deploy import configuration, seal
from edgegate.deploy.devices import Devices
from edgegate.deploy.versions import CONFIG, FOLDER
from edgegate.model import FAULTS
from edgegate.signals.patterns import TIMES, Rhythm
from tests.commands import Cli, good
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "deploy.md"
TEXT = DOCUMENT.read_text("utf-8")
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
CONFIGURATIONS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SPANS = re.findall(r"`([^`\n]+)`", PROSE)


def commands() -> Iterator[list[str]]:
    """The words after `edgegate` of every command, in blocks and in sentences."""
    lines = [line for block in SHELL for line in block.replace("\\\n", " ").splitlines()]
    for text in [*lines, *SPANS]:
        for part in re.split(r"&&|\||;", re.sub(r"\$\([^)]*\)", "2027-06-30", text)):
            words = [word for word in part.split() if word != "sudo"]
            if words and words[0].rpartition("/")[2] == "edgegate" and len(words) > 1:
                yield [word for word in shlex.split(part) if word != "sudo"][1:]


def options(of: argparse.ArgumentParser) -> Iterator[str]:
    """All options of a parser and of those below it."""
    for action in of._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from options(sub)


def keys(section: object, above: str = "") -> Iterator[str]:
    """`gate`, `gate.hold`, `gate.hold.granted_s`, … of a configuration."""
    for name, value in section.items() if isinstance(section, dict) else ():
        yield above + name
        yield from keys(value, f"{above}{name}.")


def setting(name: str) -> str:
    """A setting of edgegate.service."""
    (found,) = re.findall(rf"^{name}=(.*)$", (ROOT / "systemd" / "edgegate.service").read_text("utf-8"), re.MULTILINE)
    return str(found)


def anchor(heading: str) -> str:
    """The name under which a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_commands_parse(capsys: pytest.CaptureFixture[str]) -> None:
    """Every `edgegate …` is taken by the real parser, as it stands."""
    found = list(commands())
    assert {"service", "doctor", "signals", "wiring", "clock", "issuer", "enroll", "lockdown"} <= {
        words[0] for words in found
    }
    for words in found:
        try:
            parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"edgegate {' '.join(words)}: {capsys.readouterr().err}")


def test_options_exist() -> None:
    """An option named by itself, as `--purge`, is one of some command."""
    known = set(options(parser()))
    assert set() == {span.split()[0] for span in SPANS if span.startswith("--")} - known


def test_make_targets_exist() -> None:
    """`make venv` and `make bundle` are targets."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    found = re.findall(r"(?:^|`)make (\w+)", TEXT, re.MULTILINE)
    assert {"venv", "bundle"} == set(found)
    for target in found:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_files_and_links_exist() -> None:
    """Files of the repository that it names, and where its links lead."""
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        path, _, place = link.partition("#")
        target = DOCUMENT.parent / path if path else DOCUMENT
        assert target.exists(), link
        if place:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            assert place in map(anchor, headings), link
    for span in SPANS:
        if re.fullmatch(r"(edgegate|systemd|tests|docs|models|\.ci)/[\w./-]*", span):
            assert (ROOT / span).exists(), span


def test_configuration_keys_exist() -> None:
    """`signals.pins` and the like are keys of config.example.yaml."""
    known = set(keys(yaml.safe_load((ROOT / "config.example.yaml").read_text("utf-8"))))
    sections = {key for key in known if "." not in key}
    named = {span.partition(":")[0] for span in SPANS if span.partition(".")[0] in sections and ".db" not in span}
    assert "signals.pins" in named
    assert set() == named - known


def test_configurations_load(tmp_path: Path) -> None:
    """What is to be typed into a file is read as the daemon reads it."""
    assert len(CONFIGURATIONS) > 1
    for text in CONFIGURATIONS:
        path = tmp_path / "config.yaml"
        path.write_text(text, "utf-8")
        load(path)


def test_every_fault_has_its_line() -> None:
    """The table of faults names all of them and no other, each with what to do."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", TEXT, re.MULTILINE)
    assert sorted(fault.value for fault in FAULTS) == sorted(name for name, _ in rows)
    for name, rest in rows:
        cells = [cell.strip() for cell in rest.split(" | ")]
        assert 3 == len(cells), name
        assert all(cells), name


def test_units_and_settings_exist() -> None:
    """Units are those of `systemd/`, settings as `MemoryMax=1G` those of the gate's."""
    for span in SPANS:
        if re.fullmatch(r"edgegate-[a-z]+(\.\w+)?", span):
            name = span if "." in span else f"{span}.service"
            assert (ROOT / "systemd" / name).exists(), span
        if re.fullmatch(r"[A-Z][A-Za-z]+=\w+", span):
            name, _, value = span.partition("=")
            assert value == setting(name), span


def test_figures_are_those_of_the_code() -> None:
    """Seconds, counts and places that the document tells."""
    said = " ".join(TEXT.split())
    for figure in (
        f"started again after {setting('RestartSec')} s",
        f"stands still for {setting('WatchdogSec')} s",
        f"no picture for {feed.LOST_AFTER_S:g} s",
        f"the same picture for {feed.STALE_AFTER_S:g} s",
        f"black or covered for {dark.DARK_AFTER_S:g} s",
        f"not READY within {parser().parse_args(['service', 'upgrade']).ready_within:g} s",
        *(f"`{place}`" for place in (CONFIG, f"{FOLDER}/versions", configuration.STATE, seal.PLAIN)),
    ):
        assert figure in said, figure
    assert ("5", "300") == (setting("StartLimitBurst"), setting("StartLimitIntervalSec"))
    assert "after five ends in five minutes" in said
    assert (0.5, (1.0, 1.0, None)) == (dark.LIGHT_AFTER_S, TIMES[Rhythm.SLOW])
    assert "half a second of light" in said
    assert "one second on, one off" in said


def test_keys_and_first_badge_as_written(tmp_path: Path, cli: Cli) -> None:
    """The office's steps, run as written but for root, mounts and the typed passphrase: the gate then has its keys,
    the stick the private one, and both badges are in the gate's vault."""
    stick, etc, state = (tmp_path / name for name in ("stick", "etc", "state"))
    for folder in (stick, etc, state / "models"):
        folder.mkdir(parents=True)

    def here(text: str) -> str:
        for there, folder in (("/mnt", stick), ("/var/lib/edgegate", state), ("/etc/edgegate", etc)):
            text = text.replace(there, str(folder))
        return text

    (stick_config,) = (text for text in CONFIGURATIONS if "site_secret: site.key" in text)
    (stick / "config.yaml").write_text(here(stick_config), "utf-8")
    (etc / "config.yaml").write_text(here(configuration.first(Devices(), zbar=True)[0]), "utf-8")
    (stick / "passphrase").write_text("open sesame", "utf-8")
    cv2.imwrite(str(stick / "photo.jpg"), portrait("astronaut"))
    (block,) = (text for text in SHELL if "issuer init" in text)
    steps = [line for line in block.splitlines() if not re.search(r"mount|service install", line)]
    assert len(block.splitlines()) - 3 == len(steps)
    script = f"""set -eu
        sudo() {{ "$@"; }}
        edgegate() {{ command edgegate "$@" --passphrase-file "{stick}/passphrase"; }}
        {here(chr(10).join(steps))}"""

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "not ready" not in good(cli("check", "-c", etc / "config.yaml"))
    listed = good(cli("enroll", "list", "-c", etc / "config.yaml"))
    assert "diary" in listed
    assert "volunteer" in listed
    files = {path.name for path in etc.iterdir()}
    assert {"issuer.pub", "site.key", "device.key", "device.pub", "config.yaml"} == files
    assert 0o600 == (etc / "site.key").stat().st_mode & 0o777
    assert (stick / "issuer.key").exists()
