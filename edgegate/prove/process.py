"""The gate's process as the kernel shows it: whose it is, what it may do, and whether a socket of it leaves the
machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from edgegate.doctor.machine import UNIT, Machine
from edgegate.files import exists
from edgegate.prove.report import Claim, Found, Hand, fails, holds, judged, listed, unchecked
from edgegate.prove.scene import Scene

KERNEL = {"NoNewPrivs": "1", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "Seccomp": "2"}
"""No privilege now or later, and a filter before system calls (proc(5), `status`)."""
TUNNELS = ("lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip6gre0", "ip_vti0", "ip6_vti0")
"""What every network namespace has by itself and that leads nowhere."""
UNIT_VALUES = {
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "KeyringMode": "private",
    "LimitCORE": "0",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "MemorySwapMax": "0",
    "NoNewPrivileges": "yes",
    "PrivateIPC": "yes",
    "PrivateNetwork": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictAddressFamilies": "AF_UNIX",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "UMask": "0077",
}
"""Of the sandbox around the service what systemd 252 and later tell in these very words."""
_SOCKET = re.compile(r"socket:\[(\d+)\]")


class NotRunning(Exception):
    """No gate runs here, or not for this user to see."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The process that systemd calls the service's main one, or that holds the gate's lock."""

    pid: int
    by_systemd: bool

    @property
    def proc(self) -> str:
        return f"/proc/{self.pid}"


def gate(scene: Scene) -> Gate:
    """The running gate. Raises NotRunning."""
    main = properties(scene.machine, ["MainPID"]).get("MainPID", "0")
    if main.isdigit() and main != "0":
        return Gate(int(main), by_systemd=True)
    lock = scene.journal.with_suffix(".lock")
    if exists(lock):
        inode = str(lock.stat().st_ino)
        for line in scene.machine.text("/proc/locks").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode and words[4] != "0":
                return Gate(int(words[4]), by_systemd=False)
    raise NotRunning


def properties(machine: Machine, names: list[str]) -> dict[str, str]:
    """What systemd says of the service; nothing where it does not know it."""
    if not machine.has_systemd():
        return {}
    said = machine.run("systemctl", "show", UNIT, f"--property={','.join(['LoadState', *names])}") or ""
    values = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    return values if values.get("LoadState") == "loaded" else {}


def _running(scene: Scene) -> Found:
    found = gate(scene)
    return holds("systemd" if found.by_systemd else "lock", pid=found.pid)


def find_pid(scene: Scene) -> str:
    """The command that says which process it is, as of when it is given."""
    if properties(scene.machine, []):
        return f"systemctl show {UNIT} --property=MainPID --value"
    lock = quote(str(scene.journal.with_suffix(".lock")))
    return f"""awk -v i="$(stat -c %i {lock})" '$2 == "FLOCK" && $6 ~ ":" i "$" {{print $5}}' /proc/locks"""


def _with_pid(command: str, prints: str = "") -> Callable[[Scene], Hand]:
    """A command about the process `$pid`."""
    return lambda scene: Hand(f"pid=$({find_pid(scene)}); {command}", prints)


def _by_pid(scene: Scene) -> Hand:
    try:
        return Hand(find_pid(scene), str(gate(scene).pid))
    except NotRunning:
        return Hand(find_pid(scene))


def _sockets(scene: Scene) -> Found:
    """A socket is in the kernel's table of local ones, of the gate's network namespace or of this one, or it is no
    local one."""
    found, machine = gate(scene), scene.machine
    tables = (machine.path(f"{place}/net/unix") for place in (found.proc, "/proc"))
    local = {line.split()[6] for table in tables for line in _lines(table) if len(line.split()) > 6}
    own = [match[1] for link in _links(machine.path(f"{found.proc}/fd")) if (match := _SOCKET.fullmatch(link))]
    strange = [inode for inode in own if inode not in local]
    return judged(strange, count=len(own), strange=len(strange))


def _by_ss(scene: Scene) -> Hand:
    """Two views: the process's open sockets that are in no table of local ones, of whatever kind; and what ss(8) knows
    of addresses, in the gate's network namespace where it has one of its own (only root may enter it)."""
    tables = "$(awk '{print $7}' /proc/net/unix /proc/$pid/net/unix)"
    own = "find /proc/$pid/fd -lname 'socket:*' -printf '%l\\n' | tr -dc '0-9\\n'"
    ss = "ss --no-header --all --numeric --processes"
    same = '[ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ]'
    seen = f"{{ if {same}; then {ss}; else nsenter --target $pid --net {ss}; fi; }}"
    return Hand(f'pid=$({find_pid(scene)}); {own} | grep -vxF "{tables}"; {seen} | grep "pid=$pid," | grep -v \'^u_\'')


def _network(scene: Scene) -> Found:
    names = [line.partition(":")[0].strip() for line in _lines(scene.machine.path(f"{gate(scene).proc}/net/dev"))[2:]]
    seen = sorted(set(names) - set(TUNNELS))
    if seen and scene.config.camera.kind == "rtsp":
        return fails("camera", devices=listed(seen))
    return judged(seen, devices=listed(seen))


def _sandbox(scene: Scene) -> Found:
    found = properties(scene.machine, list(UNIT_VALUES))
    if not found:
        return unchecked("no_service")
    wrong = [f"{name}={found.get(name, '?')}" for name, value in UNIT_VALUES.items() if found.get(name) != value]
    return judged(wrong, count=len(UNIT_VALUES), settings=listed(wrong))


def _by_systemctl(scene: Scene) -> Hand:
    names = ",".join(UNIT_VALUES)
    lines = sorted(f"{name}={value}" for name, value in UNIT_VALUES.items())
    return Hand(f"systemctl show {UNIT} --property={names} | LC_ALL=C sort", "\n".join(lines))


def _status(scene: Scene) -> dict[str, str]:
    lines = _lines(scene.machine.path(f"{gate(scene).proc}/status"))
    return {key: " ".join(value.split()) for key, _, value in (line.partition(":") for line in lines)}


def _kernel(scene: Scene) -> Found:
    status = _status(scene)
    wrong = [f"{name} {status.get(name, '?')}" for name, value in KERNEL.items() if status.get(name) != value]
    return judged(wrong, values=", ".join(wrong or (f"{name} {value}" for name, value in KERNEL.items())))


def _user(scene: Scene) -> Found:
    uids = _status(scene).get("Uid", "").split()
    return judged("0" in uids or len(uids) != 4, uid=uids[0] if uids else "?")


def _core(scene: Scene) -> Found:
    """Two locks: the limit, which the kernel does not ask where dumps are piped to a program, and that the process is
    not dumpable (prctl(2)), which shows in that its open files are root's."""
    found = gate(scene)
    lines = _lines(scene.machine.path(f"{found.proc}/limits"))
    limit = next((line.split()[4] for line in lines if line.startswith("Max core file size")), "?")
    owner = scene.machine.path(f"{found.proc}/fd").stat().st_uid
    return judged(limit != "0" or owner != 0, limit=limit, owner=owner)


def _lines(path: Path) -> list[str]:
    """Raises PermissionError; a process that has just ended has none."""
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _links(folder: Path) -> list[str]:
    return [_link(path) for path in folder.iterdir()] if folder.is_dir() else []


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:
        return ""


_DEVICES = f"tail -n +3 /proc/$pid/net/dev | cut -d: -f1 | tr -d ' ' | grep -vxE '{'|'.join(TUNNELS)}'"
_STATUS = f"awk -F ':[[:space:]]*' '/^({'|'.join(KERNEL)}):/ {{print $1, $2}}' /proc/$pid/status | LC_ALL=C sort"
_ROOT = "awk '/^Uid:/ && ($2 == 0 || $3 == 0 || $4 == 0 || $5 == 0)' /proc/$pid/status"
_LIMITS = "awk '/^Max core file size/ {print $5}' /proc/$pid/limits; stat --format=%u /proc/$pid/fd"

CLAIMS = (
    Claim("process.running", _running, _by_pid),
    Claim("process.sockets", _sockets, _by_ss),
    Claim("process.network", _network, _with_pid(_DEVICES)),
    Claim("process.sandbox", _sandbox, _by_systemctl),
    Claim(
        "process.kernel",
        _kernel,
        _with_pid(_STATUS, "\n".join(sorted(f"{name} {value}" for name, value in KERNEL.items()))),
    ),
    Claim("process.user", _user, _with_pid(_ROOT)),
    Claim("process.core", _core, _with_pid(_LIMITS, "0\n0")),
)
