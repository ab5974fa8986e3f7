"""Plays the rhythms of all outputs in one thread, so that red and buzzer keep time, and a failure is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, RLock, Thread
from time import monotonic


@dataclass(slots=True)
class _Part:
    """One output's rhythm: seconds on and off, how often still (None: until told otherwise), and what comes next."""

    on_s: float
    off_s: float
    left: int | None
    due: float
    lit: bool = True


class Player:
    """`drive` switches an output and must not raise. All methods, and `drive`, run with `lock` held: once `start`,
    `stop` or `clear` has returned, no rhythm that it ended touches an output again."""

    def __init__(self, lock: RLock, drive: Callable[[str, bool], None]) -> None:
        self._changed = Condition(lock)
        self._drive = drive
        self._parts: dict[str, _Part] = {}
        self._ended = False
        self._thread = Thread(target=self._run, name="rhythms", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def plays(self, name: str) -> bool:
        return name in self._parts

    def start(self, name: str, on_s: float, off_s: float, times: int | None, now: float) -> None:
        """Go on with an output that was switched on at `now` (monotonic seconds)."""
        with self._changed:
            self._parts[name] = _Part(on_s, off_s, times, now + on_s)
            self._changed.notify()

    def stop(self, name: str) -> None:
        with self._changed:
            self._parts.pop(name, None)

    def clear(self) -> None:
        with self._changed:
            self._parts.clear()

    def end(self) -> None:
        """No more rhythms; may be called twice. Does not wait for the thread, which touches nothing any more."""
        with self._changed:
            self._ended = True
            self._parts.clear()
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._ended:
                now = monotonic()
                for name, part in list(self._parts.items()):
                    if part.due <= now:
                        self._step(name, part, now)
                due = min((part.due for part in self._parts.values()), default=None)
                self._changed.wait(None if due is None else max(0.0, due - monotonic()))

    def _step(self, name: str, part: _Part, now: float) -> None:
        part.lit = not part.lit
        length = part.on_s if part.lit else part.off_s
        # In time with the beat before; after a long stop (a suspended process) not all beats at once.
        part.due = part.due + length if now < part.due + length else now + length
        if not part.lit and part.left is not None:
            part.left -= 1
            if not part.left:
                del self._parts[name]
        self._drive(name, part.lit)
