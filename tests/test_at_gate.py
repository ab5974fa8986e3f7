"""A withdrawal at the gate from end to end, on the machine's own clock: the office's command, the running gate, a
scanner, the button."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from edgegate.adapters import open_journal, open_vault
from edgegate.app import App
from edgegate.cli import main
from edgegate.model import Button, Status, TemplateForm
from edgegate.ports import HintNote, Note, StateNote
from edgegate.state import HintKind, Phase
from edgegate.testing import press
from tests.conftest import Site

PATIENCE_S = 20.0


class Screen:
    """Port `Observer`: what the gate has shown so far."""

    def __init__(self) -> None:
        self.shown: list[Phase | HintKind] = []

    def note(self, note: Note) -> None:
        if isinstance(note, StateNote):
            self.shown.append(note.phase)
        elif isinstance(note, HintNote):
            self.shown.append(note.kind)

    def wait_for(self, what: Phase | HintKind) -> None:
        end = time.monotonic() + PATIENCE_S
        while what not in self.shown and time.monotonic() < end:
            time.sleep(0.02)
        assert what in self.shown


@pytest.mark.parametrize("form", [TemplateForm.BADGE_KEYED, TemplateForm.ON_BADGE])
def test_from_the_office_to_the_diary_lane(site: Site, form: TemplateForm, capsys: pytest.CaptureFixture[str]) -> None:
    """Armed by the command while the gate runs, shown, confirmed: withdrawn in vault and journal."""
    ana = site.enrol("ana", form=form)
    site.configure(camera={"pace": "real"}, badges={"readers": [{"kind": "stdin"}]})
    scanner, typed = os.pipe()
    screen, failed, codes = Screen(), list[BaseException](), list[int]()

    def hands(app: App) -> None:
        try:
            acts: tuple[Callable[[], object], ...] = (
                lambda: screen.wait_for(Phase.READY),
                lambda: time.sleep(1.5),  # words from before its start are not for this gate
                lambda: codes.append(main(["consent", "withdraw", "--at-gate", "-c", str(site.config.file)])),
                lambda: screen.wait_for(HintKind.WITHDRAWAL_ARMED),
                lambda: os.write(typed, ana.text.encode() + b"\n"),
                lambda: screen.wait_for(Phase.CONFIRMING),
                lambda: press(app.signals, Button.DIARY),
                lambda: screen.wait_for(Phase.REFER),
            )
            for act in acts:
                act()
        except BaseException as error:
            failed.append(error)
        finally:
            app.stop()

    with os.fdopen(scanner, "rb") as lines, App(site.config, observers=[screen], lines=lines) as app:
        thread = threading.Thread(target=hands, args=(app,), daemon=True)
        thread.start()
        app.run()
        thread.join(PATIENCE_S)
        os.close(typed)
    assert [] == failed
    assert [0] == codes
    assert "armed for 60 seconds" in capsys.readouterr().out
    with closing(open_vault(site.config)) as vault, closing(open_journal(site.config)) as journal:
        assert [Status.DIARY] == [entry.status for entry in vault.entries()]
        rows = [(row.kind, row.reason, row.detail) for row in journal.rows() if row.kind in ("consent", "decision")]
        journal.verify()
    assert [("consent", "withdrawn", "checked"), ("decision", "not_enrolled", "")] == rows
