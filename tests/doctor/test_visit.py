"""The doctor: no part of a machine, however broken, ends it; each trouble has its line and its remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgegate.doctor import board, storage
from edgegate.doctor.report import MAX_TEXT, Check, Finding, Result, carry_out, fail, merge, ok, skip, warn
from edgegate.doctor.visit import examine
from edgegate.errors import EdgeGateError
from edgegate.files import only_one, write_private
from tests.commands import Cli
from tests.conftest import Site
from tests.doctor.kit import House

NAMES = [
    *("rights", "versions", "libraries", "board", "memory", "temperature", "clock", "time server", "battery clock"),
    *("flash wear", "configuration", "disk", "issuers", "site secret", "device key", "permissions", "vault"),
    *("journal", "pack", "liveness", "camera name", "camera", "pins", "service"),
]


@pytest.fixture
def few_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading all of them takes seconds; one test does."""
    monkeypatch.setattr(board, "LIBRARIES", ("base64",))


@pytest.mark.usefixtures("few_libraries")
def test_one_line_for_each_check(site: Site, cli: Cli) -> None:
    """As text and as JSON the same checks, in the same order; nothing fails on a site that can run."""
    code, out, err = cli("doctor", "-c", site.folder / "config.yaml")
    assert (0, "") == (code, err), out
    *lines, sum_ = out.splitlines()
    assert NAMES == [line[6:21].strip() for line in lines]
    assert {"ok  ", "warn", "skip"} >= {line[:4] for line in lines}
    assert "ok" in sum_

    code, out, err = cli("doctor", "--json", "-c", site.folder / "config.yaml")
    found = json.loads(out)
    assert (0, "", NAMES) == (code, err, [line["name"] for line in found])
    assert {("name", "result", "says", "remedy")} == {tuple(line) for line in found}
    assert all(bool(line["remedy"]) == (line["result"] == "warn") for line in found if line["result"] != "skipped")


@pytest.mark.usefixtures("few_libraries")
def test_one_failure_is_exit_1(site: Site, cli: Cli) -> None:
    """A warning is not a failure; a vault that is none is."""
    write_private(site.folder / "vault.db", b"no database" * 100)
    code, out, _ = cli("doctor", "-c", site.folder / "config.yaml")
    assert 1 == code
    assert ["vault"] == [line[6:21].strip() for line in out.splitlines() if line.startswith("FAIL")]


def test_without_a_configuration_it_cannot_run(cli: Cli, tmp_path: Path) -> None:
    """One line, exit 2, nothing examined."""
    code, out, err = cli("doctor", "-c", tmp_path / "none.yaml")
    assert (2, "", 1) == (code, out, len(err.splitlines()))
    code, out, err = cli("doctor", "--loopback", "17", "-c", tmp_path / "none.yaml")
    assert (2, "") == (code, out)
    assert "17: is not two pins" in err


@pytest.mark.usefixtures("few_libraries")
def test_with_mistakes_in_it_the_machine_is_examined_all_the_same(site: Site, house: House) -> None:
    """The mistake is named; what needs the configuration is passed over, and says so."""
    path = site.folder / "config.yaml"
    path.write_text("gate: {name: 3}\nsignal: {}\n", "utf-8")
    lines = {line.name: line for line in examine(house.machine, path)}
    assert Result.FAIL is lines["configuration"].result
    assert "config.yaml:1" in lines["configuration"].says
    assert "(and 1 more)" in lines["configuration"].says
    assert Result.OK is lines["clock"].result
    for name in ("disk", "vault", "pack", "camera", "readers", "pins"):
        assert (Result.SKIPPED, "needs a configuration without mistakes") == (lines[name].result, lines[name].says)


@pytest.mark.usefixtures("few_libraries")
def test_rubbish_everywhere_is_no_surprise(site: Site, house: House) -> None:
    """Files and programs of the machine that say nonsense: every check has its line, and none is unforeseen."""
    for name in (
        *("/proc/device-tree/model", "/proc/meminfo", "/proc/swaps", "/etc/os-release", "/etc/passwd", "/etc/group"),
        *(
            "/sys/class/thermal/thermal_zone0/temp",
            "/sys/class/rtc/rtc0/since_epoch",
            "/sys/fs/cgroup/cgroup.controllers",
        ),
        *(f"{storage.EMMC}/{file}" for file in ("life_time", "pre_eol_info", "type")),
        board.THROTTLED,
    ):
        house.put(name, b"\xff\xfe 0xzz :\x1b[31m:::=\n=9\n: :\n\x00" * 40)
    house.machine.path("/run/systemd/system").mkdir(parents=True)
    for name in ("systemctl", "timedatectl", "vcgencmd"):
        house.program(name, r"printf 'User=\377\n=\nNRestarts=many\nthrottled=0xnone\n'")
    lines = list(examine(house.machine, site.folder / "config.yaml"))
    assert NAMES == [line.name for line in lines]
    assert [] == [str(line) for line in lines if "unforeseen" in line.says]
    assert all(str(line).isprintable() and len(line.says) <= MAX_TEXT for line in lines)


def test_an_unforeseen_error_is_a_line() -> None:
    """It names its class, never what it was given."""

    def look() -> Finding:
        raise ZeroDivisionError("badge 1234")

    line = carry_out(Check("part", look))
    assert Result.FAIL is line.result
    assert "ZeroDivisionError in test_visit.py" in line.says
    assert "1234" not in str(line)


def test_a_foreseen_error_is_a_line() -> None:
    """What the part itself says, and its remedy apart."""

    def look() -> Finding:
        raise EdgeGateError("is not there", where="/dev/x", next="plug it in")

    line = carry_out(Check("part", look))
    assert ("part", Result.FAIL, "/dev/x: is not there", "plug it in") == (
        line.name,
        line.result,
        line.says,
        line.remedy,
    )
    assert "FAIL  part            /dev/x: is not there; plug it in" == str(line)


def test_what_hangs_is_left_behind() -> None:
    """The next check does not wait for it."""
    release = threading.Event()

    def look() -> Finding:
        release.wait(20)
        return ok("late")

    start = time.monotonic()
    line = carry_out(Check("part", look, limit_s=0.2))
    release.set()
    assert time.monotonic() - start < 5
    assert (Result.FAIL, "no answer within 0.2 s", True) == (line.result, line.says, line.stuck)


def test_a_hanging_camera_does_not_hang_the_command(site: Site) -> None:
    """A pipe that nobody writes to blocks whoever opens it, as some drivers do: the process ends all the same."""
    frames = site.folder / "frames"
    frames.mkdir()
    os.mkfifo(frames / "1.png")
    site.configure(camera={"source": f"frames:{frames}", "pace": "real"})
    code = (
        "import argparse, sys\nfrom edgegate.cli import doctor\nfrom edgegate.doctor import board, visit\n"
        "visit.CAMERA_S, board.LIBRARIES = 0.5, ()\n"
        "parser = argparse.ArgumentParser()\ndoctor.add(parser.add_subparsers())\n"
        "args = parser.parse_args(sys.argv[1:])\nsys.exit(args.run(args))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "-c", site.folder / "config.yaml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (1, "") == (done.returncode, done.stderr)
    assert "FAIL  camera          no answer within 0.5 s" in done.stdout
    assert "service" in done.stdout.splitlines()[-2]


def test_findings_merge_into_the_gravest() -> None:
    """One line: all that was seen, each remedy once."""
    assert Finding(Result.WARN, "a, b, c", "mend b; mend c") == merge(
        ok("a"), warn("b", "mend b"), ok(""), warn("c", "mend c"), warn("b", "mend b")
    )
    assert Result.FAIL is merge(fail("a", "x"), warn("b", "y")).result
    assert Result.SKIPPED is merge(ok("a"), skip("b")).result


@pytest.mark.usefixtures("few_libraries")
def test_a_running_gate_is_left_alone(site: Site, house: House) -> None:
    """Camera, readers and pins are in use: what systemd knows of them is told instead."""
    house.systemd(StatusText="READY: Ready.")
    site.configure(
        camera={"source": "demo", "pace": "real"},
        badges={"readers": [{"kind": "qr"}, {"kind": "wiegand", "d0": 20, "d1": 21}]},
    )
    with only_one(site.folder / "journal.lock"):
        lines = {line.name: line for line in examine(house.machine, site.folder / "config.yaml", (5, 6))}
    for name in ("camera", "reader 2", "pins", "loop-back"):
        assert Result.SKIPPED is lines[name].result
        assert "in use by the running gate, which says 'READY: Ready.'" == lines[name].says


@pytest.mark.usefixtures("few_libraries")
def test_no_gate_starts_while_its_parts_are_tried(site: Site, house: House) -> None:
    """A lock file that is there is held meanwhile, and given back; one that is not is not made."""
    lock = site.folder / "journal.lock"
    list(examine(house.machine, site.folder / "config.yaml"))
    assert not lock.exists()
    lock.touch()
    for line in examine(house.machine, site.folder / "config.yaml"):
        if line.name == "camera":
            assert Result.WARN is line.result
            with pytest.raises(EdgeGateError, match="another EdgeGate"), only_one(lock):
                pass
    with only_one(lock):
        pass


@pytest.mark.usefixtures("few_libraries")
def test_pins_that_are_held_safe_are_left_so(site: Site, house: House) -> None:
    """The unit that holds the outputs while the gate is stopped is their holder."""
    house.systemd(safe="active", ActiveState="inactive")
    lines = {line.name: line for line in examine(house.machine, site.folder / "config.yaml")}
    assert (Result.SKIPPED, Result.WARN) == (lines["pins"].result, lines["camera"].result)
    assert "edgegate-safe.service" in lines["pins"].says
