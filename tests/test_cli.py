"""The commands as a technician uses them: help, configuration, `check`, `issuer`, `lockdown` and `simulate`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edgegate import __version__, config_file, enrolment
from edgegate.cli import parser
from edgegate.faces.fake_engine import draw_face
from edgegate.images import read_image
from tests.commands import Cli, good, left, refusal
from tests.conftest import ROOT, Site, blank
from tests.liveness.kit import small_liveness_pack


def commands() -> Iterator[tuple[tuple[str, ...], str, argparse.ArgumentParser]]:
    """Every command with its words, its sentence in the list of commands, and its parser; groups of commands too."""

    def below(
        words: tuple[str, ...], above: argparse.ArgumentParser
    ) -> Iterator[tuple[tuple[str, ...], str, argparse.ArgumentParser]]:
        for action in above._actions:
            if isinstance(action, argparse._SubParsersAction):
                sentences = {choice.dest: choice.help or "" for choice in action._choices_actions}
                for name, inner in action.choices.items():
                    yield (*words, name), sentences.get(name, ""), inner
                    yield from below((*words, name), inner)

    return below((), parser())


@pytest.mark.parametrize(("words", "sentence"), [(words, sentence) for words, sentence, _ in commands()], ids=str)
def test_every_command_has_help(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    """A sentence in the list of commands, a help page, a word on every option, and -c/--config."""
    assert sentence
    code, out, err = cli(*words, "--help")
    assert (0, "") == (code, err)
    assert out.startswith(f"usage: edgegate {' '.join(words)} ")
    found = next(command for name, _, command in commands() if name == words)
    group = any(isinstance(action, argparse._SubParsersAction) for action in found._actions)
    # The installed service has its configuration in one place.
    assert group or words[0] == "service" or "-c, --config FILE" in out or "-c FILE, --config FILE" in out
    assert [] == [action.dest for action in found._actions if action.option_strings and not action.help]


def test_a_wrong_command_line_is_one_line(cli: Cli) -> None:
    """Nothing, an unknown command, an unknown option, a missing argument; and the version."""
    for words in (
        [],
        ["fly"],
        ["check", "--fast"],
        ["enroll"],
        ["enroll", "add"],
        ["verify", "a.png"],
        ["lockdown", "up"],
    ):
        line = refusal(cli(*words))
        assert line.startswith("edgegate")
        assert "--help" in line
    assert f"edgegate {__version__}\n" == good(cli("--version"))


def test_the_configuration_is_found_in_its_places(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one named, else the one here, else the system's; without any, one line says where it was looked for."""
    here, system = Path("config.yaml"), site.folder / "etc.yaml"
    assert (here, Path("/etc/edgegate/config.yaml")) == config_file.SEARCHED
    monkeypatch.setattr(config_file, "SEARCHED", (here, system))
    named = site.folder / "named.yaml"
    for path, name in ((named, "Named"), (system, "System"), (site.folder / "config.yaml", "Here")):
        path.write_text(f"gate: {{name: {name}}}\n")
    assert "'Named'" in good(cli("check", "-c", named, cwd=site.folder))
    assert "'Named'" in good(cli("check", "--config", named))
    assert "'Here'" in good(cli("check"))
    here.unlink()
    assert "'System'" in good(cli("check"))
    system.unlink()
    for command in (("check",), ("run",), ("enroll", "list"), ("journal", "tail"), ("lockdown", "status")):
        expected = f"edgegate: config.yaml and {system}: no configuration found; copy config.example.yaml to "
        assert refusal(cli(*command)).startswith(expected)
    assert "none.yaml: cannot be read" in refusal(cli("check", "-c", "none.yaml"))


def test_check_says_good_and_what_is_missing_yet(cli: Cli, tmp_path: Path) -> None:
    """The example passes; before `issuer init` it is good but not ready, afterwards ready."""
    shutil.copy(ROOT / "config.example.yaml", tmp_path / "config.yaml")
    first, *rest = good(cli("check", cwd=tmp_path)).splitlines()
    assert first.startswith("config.yaml: good. Gate 'Porte A', camera v4l2:/dev/video0, pins mock.")
    assert ["badges.issuers", "vault.site_secret"] == [line.split(": ")[1] for line in rest]
    assert all(line.startswith("not ready to run yet: ") for line in rest)
    good(cli("issuer", "init", "--no-passphrase"))
    assert [first] == good(cli("check")).splitlines()


def test_check_looks_at_the_liveness_pack(cli: Cli, site: Site) -> None:
    """Where liveness is asked for, the pack must be there and be whole; without it the gate would not start."""

    def rest(**faces: object) -> list[str]:
        site.configure(faces={"pack": "fake", **faces}, camera={"fps": 5})
        return good(cli("check", cwd=site.folder)).splitlines()[1:]

    assert [] == rest(liveness="off", liveness_pack="none")
    (line,) = rest(liveness="enforce", liveness_pack="none")
    assert line.startswith("not ready to run yet: faces.liveness: there is no liveness pack `none`")
    folder = small_liveness_pack(site.folder / "models" / "small")
    assert [] == rest(liveness="enforce", liveness_pack="small")
    (line,) = rest(liveness="enforce", liveness_pack="small", timeout_s=0.9)
    assert "0.9 s at 5 pictures a second are fewer than the 5 looks" in line
    assert "raise it to 2 or more" in line
    (folder / "live.onnx").write_bytes(b"other")
    (line,) = rest(liveness="advisory", liveness_pack="small")
    assert "SHA-256 differs" in line


def test_check_lists_every_mistake(cli: Cli, tmp_path: Path) -> None:
    """All lines at once on stderr, exit code 2."""
    (tmp_path / "config.yaml").write_text("gate: {nmae: x}\ncamera: {fps: -1}\nsignals: {green: 22}\n")
    code, out, err = cli("check", cwd=tmp_path)
    assert (2, "") == (code, out)
    assert ["config.yaml:1", "config.yaml:2", "config.yaml:3"] == [line.partition(": ")[0] for line in err.splitlines()]


def test_issuer_init_makes_keys_once(cli: Cli, tmp_path: Path) -> None:
    """Public and private part, site secret, each with its mode; a second time nothing is overwritten."""
    (tmp_path / "config.yaml").write_text("badges: {issuers: [keys/school.pub]}\nvault: {site_secret: keys/site.key}\n")
    assert "keys" in refusal(cli("issuer", "init", "--no-passphrase", cwd=tmp_path))
    (tmp_path / "keys").mkdir()
    good(cli("issuer", "init", "--no-passphrase", "--name", "École A"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert {"school.pub": 0o644, "school.key": 0o600, "site.key": 0o600} == modes
    before = left(tmp_path)
    assert "exists already" in refusal(cli("issuer", "init", "--no-passphrase"))
    assert before == left(tmp_path)


def test_issuer_init_keeps_the_site_secret(cli: Cli, tmp_path: Path) -> None:
    """A school's second issuer does not change the secret on which every handle depends."""
    (tmp_path / "config.yaml").write_text("gate: {name: x}\n")
    (tmp_path / "site.key").write_text("ab" * 32)
    assert "site secret kept" in good(cli("issuer", "init", "--no-passphrase", cwd=tmp_path))
    assert "ab" * 32 == (tmp_path / "site.key").read_text()


def test_issuer_init_makes_all_or_nothing(cli: Cli, tmp_path: Path) -> None:
    """Where the site secret cannot be written, no key is left that would stand in the way of the next try."""
    (tmp_path / "config.yaml").write_text("vault: {site_secret: none/site.key}\n")
    assert "none/site.key" in refusal(cli("issuer", "init", "--no-passphrase", cwd=tmp_path))
    (tmp_path / "none").mkdir()
    good(cli("issuer", "init", "--no-passphrase"))


def test_the_passphrase_guards_the_issuer(cli: Cli, tmp_path: Path) -> None:
    """Without it, or with another, nothing is issued; asked for where there is no terminal, one line."""
    (tmp_path / "config.yaml").write_text("gate: {name: x}\n")
    word, other, empty = (tmp_path / name for name in ("word", "other", "empty"))
    word.write_text("correct horse\n")
    other.write_text("battery staple\n")
    empty.write_text("\n")
    assert "passphrase is needed" in refusal(cli("issuer", "init", cwd=tmp_path))
    assert "passphrase is empty" in refusal(cli("issuer", "init", "--passphrase-file", empty))
    assert "missing: does not exist" in refusal(cli("issuer", "init", "--passphrase-file", "missing"))
    good(cli("issuer", "init", "--passphrase-file", word))
    assert b"ENCRYPTED PRIVATE KEY" in (tmp_path / "issuer.key").read_bytes()
    add = ("enroll", "add", "--diary", "--badge-out", "b.png")
    before = left(tmp_path)
    for options, says in (
        ((), "passphrase is needed"),
        (("--passphrase-file", "missing"), "missing: does not exist"),
        (("--passphrase-file", empty), "passphrase is empty"),
        (("--passphrase-file", other), "does not open with this passphrase"),
    ):
        assert says in refusal(cli(*add, *options))
        assert before == left(tmp_path)
    good(cli(*add, "--passphrase-file", word))


def test_lockdown_is_kept(site: Site, cli: Cli) -> None:
    """On, off and asked for, each in a process that starts anew."""
    for action, expected in (("status", "no lockdown"), ("on", "lockdown"), ("status", "lockdown"), ("on", "lockdown")):
        assert f"{expected}\n" == good(cli("lockdown", action, cwd=site.folder))
    for action in ("off", "status"):
        assert "no lockdown\n" == good(cli("lockdown", action))


def test_simulate_writes_frames(site: Site, cli: Cli) -> None:
    """As many pictures as asked for, of the configured size, with the badge in them; never over others."""
    site.enrol("ana", badge="b.png")
    picture = blank(600, 600)
    draw_face(picture, "ana", 100, 100, 300)
    cv2.imwrite(str(site.folder / "ana.png"), picture)
    site.configure(camera={"width": 1280, "height": 720})
    make = ("simulate", "--badge", "b.png", "--frames", "2", "--out")
    for options, out in (((), "out"), (("--photo", "ana.png", "--phone"), "more/out2")):
        assert "play them with" in good(cli(*make, out, *options, cwd=site.folder))
        names = sorted(path.name for path in (site.folder / out).iterdir())
        assert ["00000.jpg", "00001.jpg"] == names
        for name in names:
            assert (720, 1280, 3) == read_image(site.folder / out / name).shape
            assert site.verifies(enrolment.read_badge(site.folder / out / name))
    assert "out: is not empty" in refusal(cli(*make, "out"))
    assert "b.png: cannot be written" in refusal(cli(*make, "b.png"))
    assert "no face is found" in refusal(cli(*make, "new", "--photo", "b.png"))
    for count in ("0", "-1", "3001"):
        assert f"--frames: {count} frames; give 1 to 3000" in refusal(
            cli("simulate", "--out", "new", "--frames", count)
        )
    assert not (site.folder / "new").exists()
