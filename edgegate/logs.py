"""Where the program's own words go: to systemd's journal with priority and fields, or to stderr as lines.

Nothing is logged per frame or per presentation, and nothing about a person: decisions have a record of their own
(`journal/`), with a retention of its own. A record may carry `extra={"fault": …}`, which becomes a field.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys

from logging_journald import JournaldTransport, check_journal_stream

_FORMAT = "%(levelname)s %(message)s"
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Syslog's numbers (RFC 5424, 6.2.1) from the gravest down; what is below is debug, 7."""


class JournalHandler(logging.Handler):
    """Sends records to systemd-journald with `PRIORITY`, `EDGEGATE_FAULT` and the part of the program that spoke.

    The library's own handler would also send arguments, exception texts and tracebacks, which may quote what the
    program was given; here the message goes out as it was worded, and an exception by its class only.
    """

    def __init__(self, transport: JournaldTransport) -> None:
        super().__init__()
        self._transport = transport

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._transport.send(fields(record))
        except OSError:
            print(self.format(record), file=sys.stderr)

    def close(self) -> None:
        self._transport.socket.close()
        super().close()


def fields(record: logging.LogRecord) -> list[tuple[str, str | int | None]]:
    """The fields of one record; None stands for a field that is not sent."""
    failed = record.exc_info[0] if record.exc_info else None
    return [
        ("MESSAGE", record.getMessage()),
        ("PRIORITY", next((number for level, number in _PRIORITIES if record.levelno >= level), 7)),
        ("SYSLOG_IDENTIFIER", "edgegate"),
        ("EDGEGATE_PART", record.name),
        ("EDGEGATE_FAULT", getattr(record, "fault", None)),
        ("EDGEGATE_ERROR", failed.__name__ if failed else None),
    ]


def start() -> None:
    """Send every log line to the journal where stderr leads there (systemd says so), to stderr otherwise."""
    handler: logging.Handler
    try:
        handler = JournalHandler(JournaldTransport(connected=False)) if check_journal_stream() else _lines()
    except (OSError, ValueError):
        handler = _lines()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def hush_libraries() -> None:
    """In the daemon's log, only what we say: libjpeg, inside OpenCV, writes a line to stderr for every picture that is
    a little broken, and no switch stops it. Python's own stderr stays where it was."""
    if not check_journal_stream():
        return
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    faulthandler.enable(file=sys.stderr)


def _lines() -> logging.Handler:
    return logging.StreamHandler(sys.stderr)
