"""One thread that waits for the edges of all watched lines, and tells them in the order the kernel stamped them."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable
from threading import RLock, Thread
from typing import TypeAlias

import gpiod

log = logging.getLogger(__name__)

Heard: TypeAlias = Callable[[gpiod.EdgeEvent], None]
_GONE = select.EPOLLERR | select.EPOLLHUP


class EdgeThread:
    """Runs while a line is watched: it needs no closing."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._watched: dict[int, tuple[gpiod.LineRequest, Heard]] = {}
        self._waiting: _Wait | None = None

    def watch(self, request: gpiod.LineRequest, heard: Heard) -> None:
        """`heard` is called in the thread, without a lock, once for each edge of the request's line."""
        with self._lock:
            if self._waiting is None:
                self._waiting = _Wait()
                Thread(target=self._run, args=(self._waiting,), name="edges", daemon=True).start()
            self._watched[request.fd] = request, heard
            self._waiting.poll.register(request.fd, select.EPOLLIN)

    def forget(self, request: gpiod.LineRequest) -> None:
        """To be called before the request is released; afterwards nothing of it is read any more."""
        with self._lock:
            waiting = self._waiting
            if waiting is None or self._watched.pop(request.fd, None) is None:
                return
            waiting.poll.unregister(request.fd)
            if not self._watched:
                self._waiting = None
                waiting.end()

    def _run(self, waiting: _Wait) -> None:
        while (ready := waiting.poll.poll()) and not waiting.over:
            for event, heard in self._read(waiting, ready):
                try:
                    heard(event)
                except Exception as error:
                    # One listener's mistake must not make every button deaf.
                    log.error("an edge was not heard (%s)", type(error).__name__)
        waiting.close()

    def _read(self, waiting: _Wait, ready: list[tuple[int, int]]) -> list[tuple[gpiod.EdgeEvent, Heard]]:
        found: list[tuple[gpiod.EdgeEvent, Heard]] = []
        with self._lock:
            for fd, what in ready:
                if waiting is not self._waiting or fd not in self._watched:
                    continue
                request, heard = self._watched[fd]
                gone = bool(what & _GONE)
                try:
                    # The file behind a number may be another one by now: never read where nothing waits.
                    if request.wait_edge_events(0):
                        found += [(event, heard) for event in request.read_edge_events()]
                except OSError:
                    gone = True
                if gone:
                    # It would be reported for ever; whoever reads or drives the line next finds out.
                    self.forget(request)
        return sorted(found, key=lambda pair: pair[0].timestamp_ns)


class _Wait:
    """An epoll that can be woken."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.over = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.poll.register(self._wake, select.EPOLLIN)

    def end(self) -> None:
        self.over = True
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        self.poll.close()
        os.close(self._wake)
