"""Forgetting in the office: the change, the search after it, a row in the journal, and the receipt."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from edgegate import BUILT, device_key
from edgegate.adapters import open_journal
from edgegate.clock import RealClock
from edgegate.config import Config
from edgegate.erasure import Forgotten
from edgegate.errors import EdgeGateError
from edgegate.files import exists, write_private
from edgegate.forgetting import word_for
from edgegate.sessions import look
from edgegate.stores import CONSENT, Entry
from edgegate.trusted_clock import TrustedClock


def receipt_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--receipt", type=Path, metavar="FILE", help="write the receipt here too, and its signature as FILE.sig"
    )


def look_first(config: Config, command: str) -> None:
    """As `look`, but whoever takes a consent or a lost badge back does not wait for a journal that takes no row: that
    is said, and the work goes on."""
    try:
        look(config, command)
    except EdgeGateError as error:
        print(f"edgegate: {error}", file=sys.stderr)


def record(config: Config, reason: str, detail: str = "", times: int = 1) -> None:
    """What was done about a consent, as rows of the journal. No row names its badge."""
    try:
        with closing(open_journal(config, create=True, daemon=False)) as journal:
            # A row from a clock that runs ahead would make the gate doubt the right time.
            now = TrustedClock(RealClock(), journal.known_time, BUILT).wall()
            for _ in range(times):
                journal.append(Entry(int(now), CONSENT, reason=reason, detail=detail))
    except EdgeGateError as error:
        raise EdgeGateError(
            f"this is done, but the journal does not say so ({error.what})", where=error.where, next=error.next
        ) from None


class Office:
    """Whoever runs a command that forgets."""

    def __init__(self, args: argparse.Namespace, config: Config, say: Callable[[str], None] = print) -> None:
        """Raises EdgeGateError when the receipt would go where something is already."""
        self._config, self._say, self._file = config, say, args.receipt
        for path in self._files():
            if exists(path):
                raise EdgeGateError("exists already", where=str(path), next="name another file for the receipt")

    def finish(
        self,
        result: Forgotten,
        what: str,
        *,
        said: str = "",
        reason: str = "",
        times: int = 1,
        handle: bytes | None = None,
    ) -> int:
        """Record it under `reason`, say it, give the receipt for `what`. Returns the exit code: 1 when one of them
        could not be had, though what was asked for is done."""
        recorded = True
        try:
            if reason and times:
                record(self._config, reason, word_for(result), times)
        except EdgeGateError as error:
            recorded = False
            print(f"edgegate: {error}", file=sys.stderr)
        if said:
            self._say(said)
        return 0 if self._receipt(result, what, handle) and recorded else 1

    def _receipt(self, result: Forgotten, what: str, handle: bytes | None) -> bool:
        """Print it, and write it where `--receipt` says; False when there is none to give."""
        try:
            signer = device_key.load(self._config.gate.device_key)
            receipt = result.receipt(what, at=int(time.time()), signer=signer, handle=handle)
            for path, data in zip(self._files(), (receipt.text.encode(), receipt.signature), strict=False):
                write_private(path, data)
        except EdgeGateError as error:
            print(f"edgegate: no receipt: {error}", file=sys.stderr)
            return False
        self._say(str(receipt).rstrip("\n"))
        if self._file is not None:
            public, text, signature = device_key.public_path(self._config.gate.device_key), *self._files()
            check = f"openssl pkeyutl -verify -pubin -inkey {public} -rawin -in {text} -sigfile {signature}"
            self._say(f"To check it: {check}")
        return True

    def _files(self) -> tuple[Path, ...]:
        return () if self._file is None else (self._file, self._file.with_name(f"{self._file.name}.sig"))
