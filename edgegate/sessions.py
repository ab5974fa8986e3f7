"""Whoever looks at journal or vault is an entry of the journal, before anything is shown."""

from __future__ import annotations

import logging
import os
import pwd
import re
from contextlib import closing

from edgegate import BUILT
from edgegate.adapters import open_journal
from edgegate.clock import RealClock
from edgegate.config import Config
from edgegate.errors import EdgeGateError
from edgegate.files import exists
from edgegate.stores import SESSION, Entry
from edgegate.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

_NAME = re.compile(r"[\w.@-]{1,32}")


def look(config: Config, command: str, *, must: bool = True) -> None:
    """Record that the person at this terminal runs `command`, such as `enroll list`.

    Call it before anything is shown. Raises EdgeGateError when that cannot be recorded; with `must=False`, for what
    has to work on a broken journal, it says so in the log and goes on. Where there is neither journal nor vault, there
    is nothing to see, and nothing is made.
    """
    try:
        if not exists(config.journal.path) and not (must and exists(config.vault.path)):
            return
        with closing(open_journal(config, create=must, daemon=False)) as journal:
            # A row from a clock that runs ahead would make the gate doubt the right time.
            now = TrustedClock(RealClock(), journal.known_time, BUILT).wall()
            journal.append(Entry(int(now), SESSION, reason=command, detail=user()))
    except EdgeGateError as error:
        if must:
            raise EdgeGateError(
                f"{error.what}, and who looks is recorded there first", where=error.where, next=error.next
            ) from None
        log.warning("this look could not be recorded: %s", error)


def user() -> str:
    """Who is at this terminal, as `cli:NAME`: the one who called sudo, else the owner of the process."""
    uid = os.getuid()
    try:
        own = pwd.getpwuid(uid).pw_name
    except KeyError:
        own = str(uid)
    name = os.environ.get("SUDO_USER") or own
    return f"cli:{name if _NAME.fullmatch(name) else own}"
