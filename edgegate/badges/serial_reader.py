"""The reader `serial`: scanners and RFID readers on a serial line, also one that USB carries (ttyACM, ttyUSB)."""

from __future__ import annotations

import select
import termios
import time
from collections import deque
from pathlib import Path

import serial

from edgegate.badges.plugged import refused, unplugged
from edgegate.badges.typed import WAIT_S, Draft
from edgegate.errors import EdgeGateError

TERMINATORS = {"cr": b"\r", "lf": b"\n", "crlf": b"\n", "etx": b"\x03"}
"""What ends a code. Of CR LF, which may arrive apart, LF alone is waited for: blanks around a text do not count."""
_CHUNK = 4096


class SerialLine:
    """Port `Reader`: 8 data bits, no parity, one stop bit."""

    endless = True

    def __init__(self, device: Path, baud: int = 9600, terminator: str = "cr") -> None:
        """`terminator`: a name in `TERMINATORS`."""
        self.name = f"serial {device}"
        self._device, self._baud, self._terminator = device, baud, TERMINATORS[terminator]
        self._port: serial.Serial | None = None
        self._draft = Draft()
        self._texts: deque[str] = deque()

    def open(self) -> None:
        self.close()
        try:
            self._port = serial.Serial(str(self._device), self._baud, timeout=0, exclusive=True)
            took = self._took_baud(self._port)
        except OSError as error:  # SerialException is one
            if error.errno is None:  # pyserial's word for a file that has no line settings
                raise EdgeGateError(
                    "is no serial line", where=self.name, next="name a device such as one of /dev/serial/by-id"
                ) from None
            raise refused(error, self.name, "check `device` in badges.readers") from None
        except (ValueError, termios.error):
            took = False
        if not took:
            self.close()
            raise EdgeGateError(
                f"does not take {self._baud} baud", where=self.name, next="set the speed that the reader has, or 9600"
            )

    def read(self) -> str:
        end = time.monotonic() + WAIT_S
        while not self._texts:
            if (left := end - time.monotonic()) <= 0:
                return ""
            if not self._readable(left):
                # Only a wait in vain is silence: what lies ready, on a busy machine, may have come at any time.
                self._draft.pause(end)
                return ""
            self._receive()
        return self._texts.popleft()

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None
        self._draft.forget()
        self._texts.clear()

    def _readable(self, timeout_s: float) -> bool:
        if self._port is None:
            raise unplugged(self.name)
        return bool(select.select([self._port], [], [], timeout_s)[0])

    def _receive(self) -> None:
        assert self._port is not None
        try:
            data = self._port.read(_CHUNK)
        except OSError:
            raise unplugged(self.name) from None
        *ended, rest = data.split(self._terminator)
        now = time.monotonic()
        for piece in ended:
            self._draft.add(piece, now)
            if text := self._draft.end():
                self._texts.append(text)
        self._draft.add(rest, now)

    def _took_baud(self, port: serial.Serial) -> bool:
        """Drivers that cannot do a speed keep another one and say nothing."""
        wanted = getattr(termios, f"B{self._baud}", None)
        return wanted is None or bool(termios.tcgetattr(port.fileno())[5] == wanted)
