"""What the daemon tells systemd: that it is ready, in which state it is, that it is alive.

The protocol is sd_notify(3): lines of text in one datagram to the socket that `NOTIFY_SOCKET` names. Without that
variable nothing is sent, so `edgegate run` in a terminal needs no systemd. (The `sdnotify` package has had no
release since 2017 and no wheel.)
"""

from __future__ import annotations

import logging
import os
import socket
from time import monotonic

from edgegate.model import Reason
from edgegate.ports import Note, StateNote
from edgegate.state import Phase
from edgegate.words import Words

log = logging.getLogger(__name__)

PER_PERIOD = 4
"""The watchdog is fed this often in each of its periods, so that one slow turn does not starve it."""
_OUTCOMES = (Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING, Phase.GRANTED, Phase.ALARM, Phase.REFER)


class Systemd:
    """Port `Observer`, and the loop's heartbeat: `beat` after each turn that did its work."""

    def __init__(self, words: Words, address: str | None = None, watchdog_s: float | None = None) -> None:
        """`address` and `watchdog_s` default to what systemd says in the environment."""
        self._words = words
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._every_s = (_watchdog_s() if watchdog_s is None else watchdog_s) / PER_PERIOD
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if self._address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self._status = ""
        self._ready = False
        self._fed_at = float("-inf")

    def note(self, note: Note) -> None:
        """STATUS says the state at rest; presentations pass without a word, one state may tell who came when."""
        if isinstance(note, StateNote):
            phase = note.phase if note.phase not in _OUTCOMES else Phase.FAULT if note.faults else Phase.READY
            status = self.status(phase, note.faults)
            if status != self._status:
                self._status = status
                if self._ready:
                    self._send(f"STATUS={status}")

    def status(self, phase: Phase, faults: frozenset[Reason]) -> str:
        """`FAULT camera_lost: Out of order … The camera no longer answers.`"""
        named = "".join(f" {fault.value}" for fault in sorted(faults))
        return f"{phase.value}{named}: {self._words.state(phase, faults)}"

    def beat(self) -> None:
        """The loop has done a turn. The first makes the service ready; each feeds the watchdog when it is due."""
        now = monotonic()
        if not self._ready:
            self._ready = True
            self._send(f"READY=1\nSTATUS={self._status}")
        if self._every_s > 0 and now - self._fed_at >= self._every_s:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The outputs are going to their fault values, and then the process ends."""
        self._send("STOPPING=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        # An `@` stands for the zero byte of Linux's abstract socket names.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto(text.encode("utf-8"), address)
        except OSError as error:
            log.warning("systemd does not hear: %s", error.strerror)


def _watchdog_s() -> float:
    """Seconds systemd waits for a sign of life; 0 when it waits for none, or for another process."""
    pid, period = os.environ.get("WATCHDOG_PID", ""), os.environ.get("WATCHDOG_USEC", "")
    if not period.isdigit() or (pid.isdigit() and int(pid) != os.getpid()):
        return 0.0
    return int(period) / 1e6
