"""What is in memory stays there: no core dump, each lock on its own, and nothing left in memory that was freed."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgegate.memory import Wiped

PATTERN = Path("/proc/sys/kernel/core_pattern")
STEPS = {
    "guard": "memory.guard()",
    "raise the limit": "resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)",
    "dumpable again": "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)",
    "abort": "os.abort()",
}
FREED = """
import ctypes, sys
from edgegate import memory
if sys.argv[1] == "guarded":
    memory.guard()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = (ctypes.c_void_p,)
libc.free.restype = None
block, fence = libc.malloc(50_000), libc.malloc(50_000)
ctypes.memset(block, 0x5A, 50_000)
libc.free(block)
print(ctypes.string_at(block, 50_000).count(b"Z"))
"""


def python(*args: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, *args], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def dumps(folder: Path, *steps: str) -> bool:
    """Does a process that does this leave a core dump? The folder it works in is empty afterwards."""
    code = "\n".join(["import ctypes, os, resource", "from edgegate import memory", *map(STEPS.__getitem__, steps)])
    with python("-c", code, cwd=folder) as process:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _, err = process.communicate()
    assert ended is not None
    assert ended.si_code in (os.CLD_DUMPED, os.CLD_KILLED), err
    cores = list(folder.iterdir())
    for core in cores:
        core.unlink()
    assert not cores or ended.si_code == os.CLD_DUMPED
    return ended.si_code == os.CLD_DUMPED


@pytest.fixture
def cores(tmp_path: Path) -> Iterator[Path]:
    """A folder to crash in, on a machine that leaves a core dump of whoever does not forbid it."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        if not dumps(tmp_path, "abort"):
            pytest.skip(f"no process leaves a core dump here: limit {before[1]}, {PATTERN}: {PATTERN.read_text()!r}")
        yield tmp_path
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_crash_leaves_no_core(cores: Path) -> None:
    """Guarded, a process that aborts leaves nothing behind."""
    assert not dumps(cores, "guard", "abort")


def test_the_kernel_writes_none_though_the_limit_is_raised_again(cores: Path) -> None:
    """As when dumps are piped to a program, where nobody asks for the limit."""
    assert not dumps(cores, "guard", "raise the limit", "abort")


def test_the_limit_holds_where_the_process_is_dumpable_again(cores: Path) -> None:
    """The older lock, for whatever makes a process dumpable: it is enough where cores are files."""
    if PATTERN.read_text().startswith("|"):
        pytest.skip("core dumps are piped to a program here, which no limit stops")
    assert not dumps(cores, "guard", "dumpable again", "abort")


def test_both_locks_off_is_a_core_again(cores: Path) -> None:
    """What these tests look for is there when nothing forbids it."""
    assert dumps(cores, "guard", "raise the limit", "dumpable again", "abort")


def test_a_guarded_process_still_reads_its_own() -> None:
    """Libraries look at their open files and mappings; programs that it starts may be looked at again."""
    code = """
import os, subprocess, sys
from edgegate import memory
memory.guard()
assert os.listdir("/proc/self/fd") and open("/proc/self/maps").read() and open("/proc/cpuinfo").read()
assert os.readlink("/proc/self/exe")
subprocess.run([sys.executable, "-c", "open('/proc/self/environ').read()"], check=True)
"""
    with python("-c", code) as process:
        assert ("", "") == process.communicate()
    assert 0 == process.returncode


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc overwrites what is freed")
def test_freed_memory_is_overwritten() -> None:
    """Also what a library gave back; without the guard it stays as it was."""
    left = []
    for how in ("guarded", "plain"):
        with python("-c", FREED, how) as process:
            out, err = process.communicate()
            assert (0, "") == (process.returncode, err)
            left.append(int(out))
    assert 0 == left[0]
    assert left[1] > 49_000


def test_wiped_arrays_are_zeros_afterwards() -> None:
    """When the work is done, and also when it fails."""
    first, second = np.ones(9, np.float32), np.ones((4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match="on purpose"), Wiped() as wiped:
        assert first is wiped(first)
        assert 60 == wiped(second).sum()
        raise ValueError("on purpose")
    assert not first.any()
    assert not second.any()
