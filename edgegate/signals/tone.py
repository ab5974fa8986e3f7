"""A square wave from a thread, for a passive buzzer on a chip without PWM.

How good, measured on two busy x86-64 cores at 2 kHz: half periods of 250 us in the median, 98 of 100 between 190 and
320 us, single ones some milliseconds late; what was missed is not made up for. While another thread computes in Python
it stutters: the gate does not, during an alarm. A buzzer that sounds by itself needs none of this, and lgpio has a
better wave of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread


class SoftTone:
    """Calls `write(True)` and `write(False)` in turn, `hz` times a second, on for the share `duty` of each period."""

    def __init__(self, write: Callable[[bool], None], hz: float, duty: float) -> None:
        self.error: Exception | None = None
        """Why it fell silent by itself: a pin that is gone is told where somebody listens, not in this thread."""
        self._write = write
        self._lengths = {True: duty / hz, False: (1 - duty) / hz}
        self._over = Event()
        self._thread = Thread(target=self._run, name="tone", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Silent when it returns; the line is left at either level."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        high, due = False, time.monotonic()
        try:
            while not self._over.is_set():
                high = not high
                self._write(high)
                due += self._lengths[high]
                late = time.monotonic() - due
                if late < 0:
                    time.sleep(-late)
                elif late > self._lengths[True] + self._lengths[False]:
                    due += late  # what was missed is not made up for by a shriek
        except Exception as error:
            # Pin libraries have errors of their own.
            self.error = error
