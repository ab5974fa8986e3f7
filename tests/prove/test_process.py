"""Claims about the running gate, on real processes; about systemd and the machine, on ones that are laid out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgegate.doctor.machine import Machine
from edgegate.prove.process import UNIT_VALUES
from edgegate.prove.report import Line, Result
from edgegate.prove.visit import examine
from edgegate.prove.words import Sentences
from tests.prove.kit import ProvedSite, by_hand, missing_tools

PROGRAM = Path(__file__).with_name("gate_process.py")
IN_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may see what another user's process holds open")
PROCESS = ("running", "sockets", "network", "kernel", "user", "core")


@contextmanager
def running(site: ProvedSite, *otherwise: str, alone: bool = True) -> Iterator[int]:
    """Such a process, in a network namespace of its own if `alone`. Gives its number."""
    command = [sys.executable, str(PROGRAM), str(site.config.journal.path.with_suffix(".lock")), *otherwise]
    if alone:
        command[:0] = ["unshare", "--net", "--"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            pytest.skip("this machine lets nobody make a network namespace, or a filter for system calls")
        yield process.pid
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def agreed(line: Line) -> Result:
    """The result, once the command was seen to agree."""
    said = Sentences("en").says(line)
    assert line.result in (Result.HOLDS, Result.FAILS), said
    assert line.hand is not None
    if not missing_tools(line.hand.command):
        assert (line.result is Result.HOLDS) == (line.hand.prints == by_hand(line)), (said, line.hand)
    return line.result


@IN_ROOT
def test_a_gate_that_is_shut_in_holds_all_claims(spoilt: ProvedSite) -> None:
    """Found by its lock; local sockets only, no network device, no privilege, not root, no core file."""
    with running(spoilt) as pid:
        found = {name: agreed(spoilt.line(f"process.{name}")) for name in PROCESS}
        says = Sentences("en").says(spoilt.line("process.running"))
    assert dict.fromkeys(PROCESS, Result.HOLDS) == found
    assert f"Process {pid}, which holds the lock" in says


@IN_ROOT
@pytest.mark.parametrize(
    ("otherwise", "alone", "failing"),
    [
        (("tcp",), True, {"sockets"}),
        (("tcp",), False, {"sockets", "network"}),
        (("netlink",), True, {"sockets"}),
        (("core",), True, {"core"}),
        (("dumpable",), True, {"core"}),
        (("root",), True, {"kernel", "user"}),
    ],
)
def test_a_gate_that_is_not_shut_in_fails_those_claims(
    spoilt: ProvedSite, otherwise: tuple[str, ...], alone: bool, failing: set[str]
) -> None:
    """A socket that listens, one to the kernel's network, a limit for cores, one that may be dumped, root."""
    with running(spoilt, *otherwise, alone=alone):
        found = {name: agreed(spoilt.line(f"process.{name}")) for name in PROCESS}
    assert failing == {name for name, result in found.items() if result is Result.FAILS}


@IN_ROOT
def test_a_network_camera_is_said_to_be_the_reason(spoilt: ProvedSite) -> None:
    """It is no secret that the gate is on a network then."""
    spoilt.configure(camera={"source": "rtsp://10.0.0.9/stream"})
    with running(spoilt, alone=False):
        line = spoilt.line("process.network")
    assert Result.FAILS is line.result
    assert "network camera" in Sentences("en").says(line)


@IN_ROOT
def test_a_gate_that_has_just_ended_is_not_judged(spoilt: ProvedSite) -> None:
    """A lock that nobody holds."""
    with running(spoilt):
        pass
    assert Result.UNCHECKED is spoilt.line("process.sockets").result


@pytest.fixture
def house(spoilt: ProvedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ProvedSite]:
    """Lays out a machine with systemd, whose `systemctl show` says this of the service."""

    def lay_out(**values: str) -> ProvedSite:
        programs, root = tmp_path / "bin", tmp_path / "root"
        (root / "run/systemd/system").mkdir(parents=True)
        programs.mkdir()
        lines = "".join(f"{key}={value}\n" for key, value in ({"LoadState": "loaded"} | UNIT_VALUES | values).items())
        (programs / "values").write_text(lines)
        script = programs / "systemctl"
        # show UNIT --property=A,B [--value]
        script.write_text(
            "#!/bin/sh\nnames=$(echo \"${3#--property=}\" | tr , '|')\n"
            f'grep -E "^($names)=" {programs}/values | if [ "$4" = --value ]; then cut -d= -f2-; else cat; fi\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        spoilt.machine = Machine(root)
        return spoilt

    return lay_out


def test_the_sandbox_is_what_systemd_has_loaded(house: Callable[..., ProvedSite]) -> None:
    """All settings, and in their order, as the unit that EdgeGate installs has them."""
    site = house()
    assert Result.HOLDS is agreed(site.line("process.sandbox"))
    text = (Path(__file__).parents[2] / "systemd/edgegate.service").read_text("utf-8")
    written = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert UNIT_VALUES == {key: written.get(key) for key in UNIT_VALUES}


@pytest.mark.parametrize(("name", "value"), [("PrivateNetwork", "no"), ("LimitCORE", "infinity"), ("UMask", "0022")])
def test_a_drop_in_that_opens_the_sandbox_fails(house: Callable[..., ProvedSite], name: str, value: str) -> None:
    """Whatever the installed file says, the setting that counts is the one that systemd has."""
    line = house(**{name: value}).line("process.sandbox")
    assert Result.FAILS is agreed(line)
    assert f"{name}={value}" in Sentences("fr").says(line)


def test_without_the_service_the_sandbox_is_not_passed(house: Callable[..., ProvedSite]) -> None:
    """A unit that systemd does not know has no settings."""
    assert Result.UNCHECKED is house(LoadState="not-found").line("process.sandbox").result


def test_the_services_main_process_is_the_gate(house: Callable[..., ProvedSite]) -> None:
    """Whatever holds the lock."""
    line = house(MainPID="4711").line("process.running")
    assert Result.HOLDS is agreed(line)
    assert "Process 4711, of the service" in Sentences("en").says(line)


@pytest.mark.parametrize(
    ("swaps", "limit", "result", "says"),
    [
        ("", None, Result.HOLDS, "no swap on a disk"),
        ("/dev/zram0 partition 1 0 100\n", None, Result.HOLDS, "no swap on a disk"),
        ("/var/swap file 1 0 -2\n", "0", Result.HOLDS, "closed to the gate"),
        ("/var/swap file 1 0 -2\n", "max", Result.FAILS, "could reach /var/swap"),
        ("/var/swap file 1 0 -2\n", None, Result.FAILS, "could reach /var/swap"),
    ],
)
def test_swap(house: Callable[..., ProvedSite], swaps: str, limit: str | None, result: Result, says: str) -> None:
    """On a disk only where the kernel keeps the gate from it."""
    site = house(ControlGroup="/system.slice/edgegate.service")
    put(site.machine, "/proc/swaps", f"Filename Type Size Used Priority\n{swaps}")
    if limit is not None:
        put(site.machine, "/sys/fs/cgroup/system.slice/edgegate.service/memory.swap.max", f"{limit}\n")
    line = site.line("memory.swap")
    assert result is line.result
    assert says in Sentences("en").says(line)


@pytest.mark.parametrize(
    ("state", "resume", "result"),
    [
        ("freeze mem disk\n", "8:3\n", Result.FAILS),
        ("freeze mem disk\n", "0:0\n", Result.HOLDS),
        ("freeze mem\n", "8:3\n", Result.HOLDS),
        (None, None, Result.UNCHECKED),
    ],
)
def test_hibernation(house: Callable[..., ProvedSite], state: str | None, resume: str | None, result: Result) -> None:
    """Only where the kernel can, and has a device to wake from."""
    site = house()
    if state is not None and resume is not None:
        put(site.machine, "/sys/power/state", state)
        put(site.machine, "/sys/power/resume", resume)
    assert result is site.line("memory.hibernation").result


@pytest.mark.parametrize(("late_s", "result"), [(0, Result.HOLDS), (2 * 86_400, Result.FAILS)])
def test_the_key_of_the_pseudonyms_ends_with_its_day(
    house: Callable[..., ProvedSite], late_s: int, result: Result
) -> None:
    """It bears its day, and nobody may find one of another day."""
    site = house()
    assert Result.HOLDS is agreed(site.line("retention.pseudonyms"))
    day = datetime.fromtimestamp(time.time() - late_s, UTC).date().isoformat()
    folder = site.machine.path("/run/edgegate")
    folder.mkdir(parents=True, mode=0o700)
    (folder / "pseudonyms.key").write_bytes(day.encode() + b"\n" + bytes(range(32)))
    line = site.line("retention.pseudonyms")
    assert result is agreed(line)
    assert day in Sentences("en").says(line)
    assert Result.HOLDS is site.line("files.inventory").result


@pytest.mark.parametrize("name", ["memory.swap", "memory.hibernation"])
def test_this_machine_by_hand(spoilt: ProvedSite, name: str) -> None:
    """Whatever it is, the command says the same of it."""
    if spoilt.line(name).result is not Result.UNCHECKED:
        agreed(spoilt.line(name))


@IN_ROOT
def test_another_user_is_told_to_ask_root(spoilt: ProvedSite) -> None:
    """Who may not read the stores passes nothing and breaks nothing."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not on this machine")
    code = (
        "import sys, time; from pathlib import Path; from edgegate.config_file import load;"
        "from edgegate.doctor.machine import Machine; from edgegate.prove.scene import Scene;"
        "from edgegate.prove.visit import examine;"
        "report = examine(Scene(load(Path(sys.argv[1])), Machine(), time.time()));"
        "print(*sorted({f'{line.result}:{line.found.key}' for line in report.lines}))"
    )
    spoilt.folder.chmod(0o755)
    (spoilt.folder / "config.yaml").chmod(0o644)
    for folder in (spoilt.folder, *spoilt.folder.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    command = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = subprocess.run(
        [*command, sys.executable, "-c", code, str(spoilt.folder / "config.yaml")],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
    )
    if "ModuleNotFoundError" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("another user may not read this checkout")
    assert done.returncode == 0, done.stderr
    assert "unchecked:denied" in done.stdout.split()


def put(machine: Machine, name: str, text: str) -> None:
    """A file of a machine that is laid out."""
    path = machine.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@IN_ROOT
def test_the_daemon_itself(spoilt: ProvedSite) -> None:
    """As `edgegate run` starts it, without systemd: found by its lock, no socket that leads anywhere, no core dump; and
    every claim about its files holds while it writes them."""
    spoilt.configure(camera={"source": "demo", "width": 320, "height": 240}, faces={"pack": "fake"})
    command = [sys.executable, "-m", "edgegate", "run", "-c", str(spoilt.folder / "config.yaml"), "--events", "-"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        for event in process.stdout:
            if b"READY" in event:
                break
        assert Result.HOLDS is agreed(spoilt.line("process.running"))
        assert Result.HOLDS is agreed(spoilt.line("process.sockets"))
        assert Result.HOLDS is agreed(spoilt.line("process.core"))
        assert Result.FAILS is agreed(spoilt.line("process.user"))
        report = examine(spoilt.scene)
        failing = {line.name for line in report.of(Result.FAILS)}
        assert {"faces", "process"} == {name.partition(".")[0] for name in failing}
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(20)
