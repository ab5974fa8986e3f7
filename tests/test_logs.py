"""The program's own words: fields for systemd's journal, lines otherwise, and nothing that was not worded for it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

from logging_journald import JournaldTransport

from edgegate.logs import JournalHandler


def speaker(folder: Path) -> tuple[logging.Logger, JournalHandler]:
    """A logger that talks to the socket in this folder."""
    log, handler = (
        logging.Logger("edgegate.gate"),
        JournalHandler(JournaldTransport(folder / "socket", connected=False)),
    )
    log.addHandler(handler)
    return log, handler


def test_a_record_reaches_the_journal_with_its_fields(tmp_path: Path) -> None:
    """Message, priority and fault arrive at a datagram socket like journald's, long messages whole."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(str(tmp_path / "socket"))
        log, handler = speaker(tmp_path)
        log.error("camera_lost: %s", "unplugged", extra={"fault": "camera_lost"})
        error = dict(line.split("=", 1) for line in journald.recv(8192).decode().splitlines())
        log.info("started\nsecond line")
        long = journald.recv(8192)
        handler.close()
    assert {
        "MESSAGE": "camera_lost: unplugged",
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "edgegate",
        "EDGEGATE_PART": "edgegate.gate",
        "EDGEGATE_FAULT": "camera_lost",
    } == error
    assert b"PRIORITY=6" in long
    assert b"started\nsecond line" in long


def test_exceptions_are_named_and_not_quoted(tmp_path: Path) -> None:
    """The text of an exception may quote what the program was given: its class is enough."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(str(tmp_path / "socket"))
        log, handler = speaker(tmp_path)
        try:
            int("EG1:SECRET")
        except ValueError:
            log.exception("it broke")
        data = journald.recv(8192)
        handler.close()
    assert b"EDGEGATE_ERROR=ValueError" in data
    assert b"SECRET" not in data


def test_a_journald_that_is_gone_is_no_end(tmp_path: Path) -> None:
    """The line goes to stderr instead."""
    code = (
        "import logging, sys; from pathlib import Path; from logging_journald import JournaldTransport\n"
        "from edgegate.logs import JournalHandler\n"
        "handler = JournalHandler(JournaldTransport(Path(sys.argv[1]), connected=False))\n"
        "logging.getLogger().addHandler(handler); logging.error('said anyway')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "nobody")], capture_output=True, text=True, check=True
    )
    assert "said anyway\n" == done.stderr


def test_in_a_terminal_it_is_lines(tmp_path: Path) -> None:
    """Without journald behind stderr, level and message; a JOURNAL_STREAM that is another's is not believed."""
    code = "from edgegate import logs; import logging; logs.start(); logging.warning('look')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JOURNAL_STREAM": "1:2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING look\n" == done.stderr


def test_libraries_do_not_speak_in_the_daemons_log(tmp_path: Path) -> None:
    """What C code writes to stderr goes nowhere where stderr is systemd's journal; Python's errors still arrive."""
    code = (
        "import os, sys; from edgegate import logs; logs.hush_libraries()\n"
        "os.write(2, b'Corrupt JPEG data'); print('said by Python', file=sys.stderr)"
    )
    with (tmp_path / "stream").open("w+") as stream:
        status = os.fstat(stream.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        subprocess.run([sys.executable, "-c", code], env=environment, stderr=stream, check=True)
        assert "said by Python\n" == (tmp_path / "stream").read_text()
