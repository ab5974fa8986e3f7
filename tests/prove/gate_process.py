"""A process that holds a gate's lock and is shut in as the service is, unless an argument says otherwise.

Run as `python gate_process.py LOCK [tcp] [netlink] [core] [dumpable] [root]`; prints a line when it is ready, and ends
with its standard input.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import socket
import struct
import sys

DUMPABLE, SECCOMP, CAPBSET_DROP, NO_NEW_PRIVS = 4, 22, 24, 38
NOBODY = 65534
_ALLOW = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
"""One instruction of a filter: every system call is allowed."""


class Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def shut_in() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(SECCOMP, 2, ctypes.byref(Program(1, _ALLOW))) == 0, os.strerror(ctypes.get_errno())


def main(lock: str, *otherwise: str) -> None:
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    here, there = socket.socketpair(socket.AF_UNIX)
    listening = socket.create_server(("127.0.0.1", 0)) if "tcp" in otherwise else None
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) if "netlink" in otherwise else None
    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1) if "core" in otherwise else (0, 0))
    if "root" not in otherwise:
        shut_in()
    # Changing user made it so; the gate asks for it.
    ctypes.CDLL(None).prctl(DUMPABLE, int("dumpable" in otherwise), 0, 0, 0)
    print("ready", flush=True)
    sys.stdin.read()
    del here, there, listening, netlink


if __name__ == "__main__":
    main(*sys.argv[1:])
