"""Every command in the README is run, as a newcomer would run it; its claims about commands are checked."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import yaml

from edgegate.camera.people import portrait
from edgegate.cli import parser
from edgegate.faces.pack import Manifest
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_make_commands_exist() -> None:
    """`make demo` and `make test`, the first block, are targets of the Makefile."""
    assert "make demo\nmake test\n" == SHELL[0]
    for line in SHELL[0].splitlines():
        subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    """The tour's blocks, one after the other in one shell that stops at the first error."""
    cv2.imwrite(str(tmp_path / "me.jpg"), portrait("astronaut"))
    tools = Path(sys.executable).parent
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f'PATH="{tools}:$PATH"\n', "utf-8")
    script = "set -eu\n" + "\n".join(SHELL[1:])

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert '"decision": "granted", "reason": "match"' in done.stdout
    assert "the chain holds" in done.stdout
    assert "revoked, its template is gone" in done.stdout
    assert "Traceback" not in done.stderr


def test_every_command_is_in_the_readme_and_has_help() -> None:
    """The table of commands names them all, with their actions."""
    commands = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    helps = {choice.dest: choice.help for choice in commands._choices_actions}
    for name, sub in commands.choices.items():
        assert f"`edgegate {name}" in README, name
        assert helps[name], name
        for action in sub._actions:
            assert action.help or "ACTION" == action.metavar, f"{name}: {action.option_strings or action.dest}"


def test_links_lead_somewhere() -> None:
    """Pictures and files that the documents point to exist."""
    for document in (ROOT / "README.md", ROOT / "docs" / "decisions.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
            assert link.startswith("https://") or (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_manifest_in_models_readme_is_valid() -> None:
    """The example manifest is one that loads, once its hashes are hashes."""
    text = (ROOT / "models" / "README.md").read_text("utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    raw = yaml.safe_load(example.replace("64 hexadecimal digits", "a" * 64))

    assert "my-pack" == Manifest.model_validate(raw).name
