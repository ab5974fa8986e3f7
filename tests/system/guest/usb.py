"""USB devices made of Python, plugged into the guest's own kernel.

The kernel's vhci-hcd is a USB host controller whose sockets are network sockets: whoever holds the other end *is* the
device, and answers its transfers by the USB/IP protocol (Documentation/usb/usbip_protocol.rst in the kernel's source).
So a whole webcam or badge scanner, with the driver, names and unplugging of a real one, needs no hardware.

A device is a process of its own, told what to do over a control socket: see `Gadget.serve` and `order`.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

CONTROLLER = Path("/sys/devices/platform/vhci_hcd.0")
HIGH_SPEED = 3
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
STALL, UNLINKED_IN_TIME = -32, -104  # -EPIPE, -ECONNRESET
HEADER = struct.Struct(">5I28s")
"""Command, sequence number, device, direction, endpoint; what follows depends on the command."""


class Gadget:
    """A USB device. Subclasses give the descriptors, answer control requests, and feed endpoint 1 (in)."""

    port = 0
    """The controller's socket, one a device: it makes the path by which udev names it."""

    def __init__(self, device: bytes, configuration: bytes, strings: list[str]) -> None:
        self._descriptors = {0x100: device, 0x200: configuration, 0x300: struct.pack("<BBH", 4, 3, 0x409)}
        for index, text in enumerate(strings, 1):
            encoded = text.encode("utf-16-le")
            self._descriptors[0x300 + index] = bytes([2 + len(encoded), 3]) + encoded
        self._socket: socket.socket | None = None
        self._asked: deque[tuple[int, int]] = deque()
        """Sequence number and length of the transfers that wait on endpoint 1."""

    # What a device adds.

    def control(self, kind: int, request: int, value: int, index: int, data: bytes) -> bytes | None:
        """Answer a class request, or None to refuse it."""
        return None

    def packet(self, limit: int) -> bytes | None:
        """The next packet for endpoint 1, at most `limit` bytes; None when there is none now."""
        return None

    def pause_s(self) -> float | None:
        """How long `packet` has nothing to give; None: until an order comes."""
        return None

    def obey(self, words: list[str]) -> str:
        """Do what an order says; what is returned goes back to who gave it."""
        match words:
            case ["plug"]:
                self.plug()
            case ["unplug"]:
                self.unplug()
            case _:
                raise ValueError(f"no such order: {words}")
        return "ok"

    # Plugging.

    def plug(self) -> None:
        if self._socket is not None:
            return
        self._socket, theirs = socket.socketpair()
        with theirs:
            (CONTROLLER / "attach").write_text(f"{self.port} {theirs.fileno()} {self.port + 1} {HIGH_SPEED}")

    def unplug(self) -> None:
        """Pull it out, whoever is using it."""
        if self._socket is None:
            return
        with suppress(OSError):  # the kernel may have given it up by itself
            (CONTROLLER / "detach").write_text(str(self.port))
        self._socket.close()
        self._socket = None
        self._asked.clear()

    # Serving.

    def serve(self, control: Path) -> None:
        """Be the device, for ever; `control` is made once it can be ordered."""
        orders = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        orders.bind(str(control))
        orders.listen()
        while True:
            self._feed()
            wait = self.pause_s() if self._asked else None
            waiting = [orders] if self._socket is None else [orders, self._socket]
            ready, _, _ = select.select(waiting, [], [], wait)
            if self._socket in ready:
                self._transfer()
            if orders in ready:
                self._order(orders.accept()[0])

    def _order(self, caller: socket.socket) -> None:
        with caller:
            words = caller.recv(65536).decode().split("\0")
            try:
                answer = self.obey(words)
            except (OSError, ValueError) as error:
                answer = f"failed: {error}"
            caller.send(answer.encode())

    def _transfer(self) -> None:
        head = self._receive(HEADER.size)
        if not head:  # the kernel gave the device up
            self.unplug()
            return
        command, number, _, incoming, endpoint, rest = HEADER.unpack(head)
        if command == UNLINK:
            unlinked = struct.unpack_from(">I", rest)[0]
            waiting = [asked for asked in self._asked if asked[0] == unlinked]
            for asked in waiting:
                self._asked.remove(asked)
            self._send(struct.pack(">5Ii24x", UNLINKED, number, 0, 0, 0, UNLINKED_IN_TIME if waiting else 0))
            return
        length = struct.unpack_from(">4xi", rest)[0]
        data = b"" if incoming else self._receive(length)
        if endpoint != 0:
            self._asked.append((number, length))
            return
        kind, request, value, index, _ = struct.unpack("<BBHHH", rest[20:])
        answer = self._standard(kind, request, value)
        if answer is None:
            answer = self.control(kind, request, value, index, data)
        if answer is None:
            self._answer(number, STALL, 0)
        elif incoming:
            self._answer(number, 0, min(len(answer), length), answer[:length])
        else:
            self._answer(number, 0, length)

    def _standard(self, kind: int, request: int, value: int) -> bytes | None:
        """What every device answers alike (USB 2.0, 9.4)."""
        if (kind, request) == (0x80, 6):
            return self._descriptors.get(value)
        if kind in (0, 1, 2) and request in (1, 3, 9, 11):  # clear or set a feature, set configuration or interface
            return b""
        if kind in (0x80, 0x81, 0x82) and request == 0:
            return b"\0\0"
        return None

    def _feed(self) -> None:
        while self._asked and (packet := self.packet(self._asked[0][1])) is not None:
            self._answer(self._asked.popleft()[0], 0, len(packet), packet)

    def _answer(self, number: int, status: int, length: int, data: bytes = b"") -> None:
        """`length` counts what went either way; `data` is only what goes to the kernel."""
        self._send(struct.pack(">5Iii20x", SUBMITTED, number, 0, 0, 0, status, length) + data)

    def _send(self, message: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(message)

    def _receive(self, length: int) -> bytes:
        assert self._socket is not None
        return self._socket.recv(length, socket.MSG_WAITALL) if length else b""


def start(module: str, control: Path, *arguments: str) -> None:
    """Run a device's module as a process that outlives this one, and wait until it takes orders."""
    subprocess.run(["modprobe", "vhci-hcd"], check=True)
    control.unlink(missing_ok=True)
    log = control.with_suffix(".log")
    with log.open("wb") as file:
        command = ["setsid", "--fork", sys.executable, "-m", f"{__package__}.{module}", str(control), *arguments]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[1], stdout=file, stderr=file)
    limit = time.monotonic() + 30
    while not control.exists():
        if log.stat().st_size or time.monotonic() > limit:
            raise RuntimeError(f"{module} does not start: {log.read_text('utf-8')}")
        time.sleep(0.05)


def order(control: Path, *words: str) -> str:
    """Tell a device what to do, and wait until it did."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
        caller.connect(os.fspath(control))
        caller.send("\0".join(words).encode())
        answer = caller.recv(65536).decode()
    if answer.startswith("failed"):
        raise RuntimeError(f"{words[0]}: {answer}")
    return answer
