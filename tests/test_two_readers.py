"""Several readers of their own on one gate: a scanner on each side of the door, and a card reader on pins."""

from __future__ import annotations

import os
import queue
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from gpiozero.pins.mock import MockFactory

from edgegate.app import App
from edgegate.model import Reason
from edgegate.ports import DecisionNote, Note
from tests.commands import Cli
from tests.conftest import Site
from tests.wiegand_card import D0, D1, frame

CARD = "123-45678"
PATIENCE = 30


class Decisions:
    """Port `Observer`: every decision, in order."""

    def __init__(self) -> None:
        self.seen: queue.Queue[Reason] = queue.Queue()

    def note(self, note: Note) -> None:
        if isinstance(note, DecisionNote):
            self.seen.put(note.reason)


def scanner(path: Path) -> int:
    """Plug a serial scanner in: a pseudo-terminal's far end."""
    far, near = os.openpty()
    tty.setraw(near)
    path.symlink_to(os.ttyname(near))
    os.close(near)
    return far


def test_each_reader_is_heard(site: Site, cli: Cli, tmp_path: Path) -> None:
    """Whichever reader a badge is shown to, it is decided; one that is pulled out leaves the other reading."""
    readers: list[dict[str, object]] = [{"kind": "wiegand", "d0": D0, "d1": D1}]
    readers += [{"kind": "serial", "device": str(tmp_path / name), "baud": 115_200} for name in ("left", "right")]
    site.configure(
        camera={"pace": "real"},
        badges={"readers": readers, "allow_plain": True, "formats": ["typed"]},
        gate={"name": "Test gate", "language": "en", "hold": {"granted_s": 0.1, "refer_s": 0.1, "alarm_s": 0.1}},
    )
    diary, revoked = site.enrol(None), site.enrol(None)
    site.revoke(revoked)
    expires = (date.today() + timedelta(days=7)).isoformat()
    assert 0 == cli("enroll", "add", "--diary", "--plain", CARD, "--expires", expires, cwd=site.folder)[0]
    left, right = scanner(tmp_path / "left"), scanner(tmp_path / "right")
    decisions = Decisions()
    failed: list[BaseException] = []
    with App(site.config, observers=[decisions]) as app:
        pins = app.signals.factory
        assert isinstance(pins, MockFactory)

        def decided(reason: Reason, show: Callable[[], object] = lambda: None) -> None:
            """Until the gate has said this; a code is shown again and again, as students do."""
            for _ in range(PATIENCE):
                show()
                with suppress(queue.Empty):
                    while decisions.seen.get(timeout=1.0) != reason:
                        pass
                    return
            raise AssertionError(f"never {reason}")

        def card() -> None:
            for bit in frame(CARD):
                pins.pin(D1 if bit else D0).drive_low()
                pins.pin(D1 if bit else D0).drive_high()

        def pull() -> None:
            os.close(left)
            (tmp_path / "left").unlink()

        def students() -> None:
            try:
                decided(Reason.NOT_ENROLLED, lambda: os.write(left, f"{diary.text}\r".encode()))
                decided(Reason.REVOKED, lambda: os.write(right, f"{revoked.text}\r".encode()))
                decided(Reason.NOT_ENROLLED, card)
                pull()
                decided(Reason.READER_LOST)
                decided(Reason.REVOKED, lambda: os.write(right, f"{revoked.text}\r".encode()))
            except BaseException as error:
                failed.append(error)
            finally:
                app.stop()

        hands = threading.Thread(target=students, daemon=True)
        hands.start()
        app.run()
        hands.join()
    os.close(right)
    assert [] == failed
