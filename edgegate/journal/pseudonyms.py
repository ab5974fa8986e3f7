"""A badge has one pseudonym a day. The key it is made with ends with the day (UTC) and is never used for another.

It lives in memory; a daemon also leaves it in its runtime directory, which systemd keeps in memory (tmpfs), so that a
restart at noon does not make two people of one badge. There the key lies with its day, and is overwritten before it is
removed.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)

DIGITS = 16
FILE = "pseudonyms.key"
_KEY_BYTES = 32
_FORM = re.compile(rb"(\d{4}-\d{2}-\d{2})\n(.{32})", re.DOTALL)
_SIZE = len("2026-01-31\n") + _KEY_BYTES


class DailyPseudonyms:
    """Not for several threads, nor for two daemons in one directory."""

    def __init__(self, runtime: Path | None = None) -> None:
        """`runtime` is a folder in memory, for the daemon alone."""
        self._path = runtime / FILE if runtime is not None else None
        self._day, self._key = "", bytearray()
        self._recall()

    def of(self, handle: bytes | None, at: int) -> str:
        """16 hexadecimal digits, or nothing for an entry about no badge. `at` is in UTC seconds."""
        self.end(at)
        if handle is None:
            return ""
        if not self._day:
            self._day, self._key = _day_of(at), bytearray(secrets.token_bytes(_KEY_BYTES))
            self._keep()
        return hmac.digest(self._key, handle, "sha256").hex()[:DIGITS]

    def end(self, now: int) -> None:
        """Forget the key of any day but this one. A day that comes again, when a clock is set back, has a new key."""
        if self._day and self._day != _day_of(now):
            self.close()
            self._day = ""
            self._wipe()

    def close(self) -> None:
        """Forget the key in memory; what a restart needs stays in the runtime directory until the day ends."""
        self._key[:] = bytes(len(self._key))

    def _recall(self) -> None:
        """Take up the key that an earlier run left; whatever else lies there goes."""
        if self._path is None or not os.path.lexists(self._path):
            return
        found = None
        with suppress(OSError):  # what cannot be read is not ours, and goes too
            if stat.S_ISREG(self._path.lstat().st_mode):
                descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                with os.fdopen(descriptor, "rb", buffering=0) as stream:
                    found = _FORM.fullmatch(stream.read(_SIZE + 1))
        if found is None:
            self._wipe()
        else:
            self._day, self._key = found[1].decode("ascii"), bytearray(found[2])

    def _keep(self) -> None:
        if self._path is None:
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(self._path, flags, 0o600), "wb", buffering=0) as stream:
                stream.write(self._day.encode("ascii") + b"\n" + self._key)
        except OSError as error:
            log.warning("%s: cannot be written (%s); a restart today begins new pseudonyms", self._path, error.strerror)

    def _wipe(self) -> None:
        """Overwrite and remove the file; a link that somebody put there is removed, and not followed."""
        if self._path is None:
            return
        try:
            if stat.S_ISREG(self._path.lstat().st_mode):
                descriptor = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                with os.fdopen(descriptor, "wb", buffering=0) as stream:
                    stream.write(bytes(os.fstat(descriptor).st_size))
                    os.fsync(descriptor)
            self._path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            log.error("%s: an old key cannot be removed (%s); remove it by hand", self._path, error.strerror)

    def __repr__(self) -> str:
        return "DailyPseudonyms(…)"


def _day_of(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
