"""What the doctor says of the machine: board, memory, heat, clock, disk, service, users; each laid out as files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edgegate import BUILT
from edgegate.adapters import open_journal
from edgegate.clock import VirtualClock
from edgegate.doctor import board, service, storage, timekeeping
from edgegate.doctor.machine import Machine, User, may
from edgegate.doctor.report import Result
from edgegate.doctor.storage import Space
from edgegate.stores import Entry
from tests.conftest import Site
from tests.doctor.kit import House, good, told


def test_versions_name_what_touches_hardware(house: House) -> None:
    """Libraries, kernel and system."""
    house.put("/etc/os-release", 'NAME="x"\nPRETTY_NAME="Raspbian 13"\n')
    says = good(board.versions(house.machine))
    for word in ("edgegate ", "Python ", "opencv-python ", "onnxruntime ", "numpy ", "gpiozero ", "Linux "):
        assert word in says
    assert says.endswith("Raspbian 13")


def test_all_compiled_libraries_load_here() -> None:
    """Those of the lock file do, on a machine that they are made for."""
    assert "numpy, cv2, onnxruntime, dlib, zxingcpp load" == good(board.libraries())


def test_a_library_for_another_processor_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the process that loads it, which is not this one."""
    tmp_path.joinpath("deadly.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(board, "LIBRARIES", ("deadly", "json", "no_such_library"))
    says = told(board.libraries(), Result.FAIL)
    assert "deadly ends the process that loads it (SIGILL), no_such_library does not load (ModuleNotFoundError" in says


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        ("/proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0", "Raspberry Pi 5 Model B Rev 1.0, "),
        ("/proc/device-tree/model", "NVIDIA Jetson Orin Nano\0", "pinmux"),
        ("/sys/class/dmi/id/product_name", "NUC\n", "NUC, "),
        ("/nothing", "", "unnamed board, "),
    ],
)
def test_the_board_is_named(house: House, name: str, model: str, expected: str) -> None:
    """By its device tree, else by its firmware."""
    house.put(name, model)
    assert expected in good(board.board(house.machine))


@pytest.mark.parametrize(
    ("free", "swap", "unit", "controllers", "result", "expected"),
    [
        (2000, "", {}, "cpu memory", Result.OK, "no swap on a disk"),
        (200, "", {}, "cpu memory", Result.WARN, "200 MB of 4096 MB are free"),
        (2000, "/dev/zram0 partition 1 0 100\n", {}, "memory", Result.OK, "no swap on a disk"),
        (2000, "/var/swap file 1 0 -2\n", {}, "memory", Result.OK, "swap on /var/swap is closed to the gate"),
        (2000, "/var/swap file 1 0 -2\n", {"MemorySwapMax": "infinity"}, "memory", Result.WARN, "/var/swap"),
        (2000, "/var/swap file 1 0 -2\n", {}, "cpu io", Result.WARN, "could reach /var/swap"),
        (2000, "", {}, "cpu io", Result.WARN, "cgroup_enable=memory"),
    ],
)
def test_memory(
    house: House, free: int, swap: str, unit: dict[str, str], controllers: str, result: Result, expected: str
) -> None:
    """Enough, and none of it on a disk: systemd's limit only counts where the kernel keeps it."""
    house.put("/proc/meminfo", f"MemTotal:  4194304 kB\nMemAvailable: {free * 1024} kB\n")
    house.put("/proc/swaps", f"Filename Type Size Used Priority\n{swap}")
    house.put("/sys/fs/cgroup/cgroup.controllers", controllers)
    house.systemd(**unit)
    finding = board.memory(house.machine)
    assert result is finding.result
    assert expected in f"{finding.says}; {finding.remedy}"


@pytest.mark.parametrize(
    ("millidegrees", "throttled", "result", "expected"),
    [
        ("48312", "0x0", Result.OK, "48 °C, never throttled"),
        ("76000", "0x0", Result.WARN, "76 °C"),
        ("86000", "0x0", Result.FAIL, "86 °C"),
        ("50000", "0x50005", Result.FAIL, "the supply is below 4.63 V, throttled; use the maker's own power supply"),
        ("50000", "0x10000", Result.WARN, "since it was started the supply was too low; use the maker's own"),
        ("50000", "0x80008", Result.FAIL, "at the soft temperature limit; give it air"),
    ],
)
def test_heat_and_power(house: House, millidegrees: str, throttled: str, result: Result, expected: str) -> None:
    """The hottest sensor, and the firmware's bits in words."""
    house.put("/sys/class/thermal/thermal_zone0/temp", f"{millidegrees}\n")
    house.put("/sys/class/thermal/thermal_zone1/temp", "20000\n")
    house.program("vcgencmd", f'test "$1" = get_throttled && echo throttled={throttled}')
    finding = board.temperature(house.machine)
    assert result is finding.result
    assert expected in "; ".join(filter(None, (finding.says, finding.remedy)))


def test_without_vcgencmd_the_kernel_is_asked(house: House) -> None:
    """The same bits lie in a file on a Raspberry Pi; elsewhere there is nothing to tell."""
    assert Result.SKIPPED is board.temperature(house.machine).result
    house.put(board.THROTTLED, "50000\n")
    assert "it was throttled" in told(board.temperature(house.machine), Result.WARN)


def test_a_clock_that_cannot_be_right(site: Site) -> None:
    """Before this version was made, or before the journal's newest row: the gate's own rule."""
    assert "which can be" in good(timekeeping.clock(site.config))
    assert "which can be" in good(timekeeping.clock(None))
    says = told(timekeeping.clock(site.config, VirtualClock(wall=1000.0)), Result.FAIL)
    assert "1970-01-01" in says
    assert "edgegate clock accept" in says
    journal = open_journal(site.config, create=True)
    journal.append(Entry(at=BUILT + 40 * 86_400, kind="start"))
    journal.close()
    assert "which cannot be" in told(timekeeping.clock(site.config, VirtualClock(wall=BUILT + 86_400.0)), Result.FAIL)


@pytest.mark.parametrize(
    ("said", "file", "result"), [("yes", False, Result.OK), ("no", False, Result.WARN), ("no", True, Result.OK)]
)
def test_time_server(house: House, said: str, file: bool, result: Result) -> None:
    """Told by timedatectl, or by the file that timesyncd touches."""
    house.program("timedatectl", f"echo {said}")
    if file:
        house.put(timekeeping.SYNCHRONISED, "")
    assert result is timekeeping.synchronised(house.machine).result


def test_battery_clock(house: House) -> None:
    """There, and close to the machine's time."""
    assert "fit an RTC module" in told(timekeeping.battery_clock(house.machine), Result.WARN)
    house.put("/sys/class/rtc/rtc0/name", "rpi_rtc soc:rpi_rtc\n")
    house.put("/sys/class/rtc/rtc0/since_epoch", f"{int(time.time())}\n")
    assert "rpi_rtc" in good(timekeeping.battery_clock(house.machine))
    house.put("/sys/class/rtc/rtc0/since_epoch", f"{int(time.time()) - 3600}\n")
    assert "60 minutes off; run `hwclock --systohc`" in told(timekeeping.battery_clock(house.machine), Result.WARN)
    house.put("/sys/class/rtc/rtc0/since_epoch", "0\n")
    assert " days off" in told(timekeeping.battery_clock(house.machine), Result.WARN)


@pytest.mark.parametrize(
    ("space", "result"),
    [
        (Space(2000, 100_000, False), Result.OK),
        (Space(2000, None, False), Result.OK),
        (Space(499, 100_000, False), Result.WARN),
        (Space(2000, 4999, False), Result.WARN),
        (Space(49, 100_000, False), Result.FAIL),
        (Space(2000, 99, False), Result.FAIL),
        (Space(2000, 100_000, True), Result.FAIL),
    ],
)
def test_room(space: Space, result: Result) -> None:
    """Bytes and files; a read-only disk has none, whatever it counts."""
    assert result is storage.room(Path("/var/lib/edgegate"), space).result


def test_the_disk_of_the_state(site: Site) -> None:
    """The real one of this folder; a folder that is not there is told."""
    assert str(site.folder) in good(storage.disk(site.config))
    gone = site.configure(vault={"path": "gone/vault.db"})
    assert "gone: No such file or directory; make it" in told(storage.disk(gone), Result.FAIL)


@pytest.mark.parametrize(
    ("life", "reserve", "result", "expected"),
    [
        ("0x01 0x02", "0x01", Result.OK, "20 %"),
        ("0x09 0x01", "0x01", Result.WARN, "90 %"),
        ("0x0b 0x0b", "0x03", Result.WARN, "100 % of the flash's life used, its spare blocks are used up"),
        ("0x02 0x02", "0x02", Result.WARN, "most of its spare blocks"),
        ("", "", Result.SKIPPED, "an SD card does not tell"),
    ],
)
def test_wear(house: House, life: str, reserve: str, result: Result, expected: str) -> None:
    """What eMMC tells of itself (JEDEC JESD84-B51)."""
    for name, text in (("life_time", life), ("pre_eol_info", reserve), ("type", "SD")):
        house.put(f"{storage.EMMC}/{name}", f"{text}\n")
    finding = storage.wear(house.machine)
    assert result is finding.result
    assert expected in finding.says


@pytest.mark.parametrize(
    ("changes", "result", "expected"),
    [
        ({}, Result.OK, "running: READY: Ready., starts at boot, watchdog 10s"),
        ({"LoadState": "not-found"}, Result.WARN, "edgegate service install"),
        ({"LoadState": "bad-setting"}, Result.FAIL, "systemd-analyze verify"),
        ({"ActiveState": "failed", "Result": "watchdog"}, Result.FAIL, "failed (watchdog)"),
        ({"ActiveState": "inactive"}, Result.WARN, "systemctl start"),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, Result.WARN, "auto-restart"),
        ({"StatusText": "FAULT camera_lost: Out of order."}, Result.FAIL, "FAULT camera_lost: Out of order."),
        ({"StatusText": "LOCKDOWN: Nobody passes."}, Result.WARN, "edgegate lockdown off"),
        ({"UnitFileState": "disabled"}, Result.WARN, "systemctl enable"),
        ({"NRestarts": "1"}, Result.OK, "once"),
        ({"NRestarts": "12"}, Result.WARN, "12 times"),
        ({"WatchdogUSec": "0"}, Result.WARN, "no watchdog"),
    ],
)
def test_service(house: House, changes: dict[str, str], result: Result, expected: str) -> None:
    """What systemd knows, and what is to be done about it."""
    house.systemd(**changes)
    finding = service.service(house.machine)
    assert result is finding.result, finding
    assert expected in "; ".join(filter(None, (finding.says, finding.remedy)))


def test_without_systemd_there_is_no_service(house: House) -> None:
    """That is no fault of the gate's."""
    assert Result.SKIPPED is service.service(house.machine).result


def test_the_user_who_runs_the_gate(house: House) -> None:
    """The unit's, with the groups of the unit and of the machine; else `edgegate`; else whoever asks."""
    assert os.geteuid() == house.machine.user().uid
    house.put("/etc/passwd", "root:x:0:0:root:/:/bin/sh\nedgegate:x:901:902::/:/bin/false\ngate:x:905:906::/:/\n")
    house.put("/etc/group", "video:x:44:edgegate,pi\ngpio:x:986:\ninput:x:104:pi\n")
    assert User("edgegate", 901, frozenset({902, 44})) == house.machine.user()
    house.systemd(User="gate")
    assert User("gate", 905, frozenset({906, 44, 986})) == house.machine.user()
    assert ("gpio", "77") == (house.machine.group(986), house.machine.group(77))


def test_what_a_user_may(tmp_path: Path) -> None:
    """Owner, group and others, and every folder on the way."""
    file = tmp_path / "a" / "b"
    file.parent.mkdir()
    file.touch()
    mine, root = file.stat(), User("root", 0, frozenset({0}))
    owner = User("owner", mine.st_uid, frozenset({mine.st_gid}))
    assert None is may(root, file, 6)
    assert None is may(owner, file, 6)
    with pytest.raises(FileNotFoundError):
        may(root, tmp_path / "c", 4)
    stranger = User("stranger", 4_000_000, frozenset({4_000_001}))
    assert may(stranger, file, 4) in file.parents
    shallow = Path("/")
    assert None is may(stranger, shallow, 5)
    assert shallow == may(stranger, shallow, 2)
    assert None is may(User("peer", 4_000_000, frozenset({shallow.stat().st_gid})), shallow, 5)


def test_programs_are_asked_in_english_and_not_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that fails, hangs or is not there says nothing."""
    monkeypatch.setattr("edgegate.doctor.machine._PATIENCE_S", 0.3)
    house.program("speaks", 'echo "$LC_ALL $1"')
    house.program("fails", "echo x; exit 3")
    house.program("hangs", "exec sleep 20")
    machine = Machine()
    assert "C yes" == machine.run("speaks", "yes")
    assert [None] * 3 == [machine.run(name) for name in ("fails", "hangs", "no-such-program")]
