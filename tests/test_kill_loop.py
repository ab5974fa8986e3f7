"""kill -9, again and again, in the middle of enrolling, withdrawing and presenting: what was acknowledged is kept.

A hundred kills in every run of the tests; `make soak` asks for a thousand, with EDGEGATE_KILLS.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest

from edgegate import enrolment
from edgegate.adapters import open_book, open_journal, open_vault
from edgegate.errors import TemplateUnreadable
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.model import Credential, Status
from edgegate.stores import Head
from tests.canaries import Hunt
from tests.conftest import ROOT, Site
from tests.kill_loop import PHOTO
from tests.recordings import HOLD

KILLS = int(os.environ.get("EDGEGATE_KILLS", "100"))
LONGEST_S = 0.5
"""A worker lives up to this long; one piece of work takes a tenth of that, or two."""
LOOK_EVERY = 20
MEANS = {"match": Status.VOLUNTEER, "not_enrolled": Status.DIARY, "unknown_badge": Status.UNKNOWN}


@dataclass
class Ledger:
    """What was acknowledged, and what may have happened besides: the work that a kill cut short."""

    standing: dict[str, set[Status]] = field(default_factory=dict)
    """By handle; more than one where nobody knows whether the last work was done."""
    heads: list[Head] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    """What was sealed and had to be overwritten."""
    done: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    _open: dict[str, Any] | None = None

    def heard(self, line: dict[str, Any]) -> None:
        """One line of a worker's."""
        if "begins" in line:
            self._open = line
            return
        self._open, kind, handle = None, line["done"], line["handle"]
        self.done[kind] = self.done.get(kind, 0) + 1
        self.heads.append(Head(line["seq"], bytes.fromhex(line["hash"])))
        known = self.standing.get(handle, {Status.UNKNOWN, Status.VOLUNTEER})  # its enrolment was cut short, if any
        if kind == "enrol":
            self.standing[handle] = {Status.VOLUNTEER}
        elif kind == "present":
            (reason,) = line["reasons"]
            assert MEANS[reason] in known, (reason, known)
            self.standing[handle] = {MEANS[reason]}
        else:
            assert line["code"] == 0 or Status.UNKNOWN in known, (line, known)
            self.standing[handle] = {Status.UNKNOWN if line["code"] else Status.DIARY}
            self.gone += [bytes.fromhex(line["sealed"])] if line["sealed"] else []

    def killed(self) -> None:
        """The work under way was cut short."""
        line, self._open = self._open, None
        if line is None:
            return
        self.cut[line["begins"]] = self.cut.get(line["begins"], 0) + 1
        if line["begins"] == "withdraw":
            known = self.standing.get(line["handle"], {Status.UNKNOWN, Status.VOLUNTEER})
            self.standing[line["handle"]] = known | ({Status.DIARY} if Status.VOLUNTEER in known else set())


@pytest.fixture
def busy(site: Site) -> Site:
    """A site with people to enrol and a recording of them, and a reader to which their badges are typed."""
    folder = site.folder
    picture = np.full((200, 300, 3), 170, np.uint8)
    draw_face(picture, "ana", 60, 10, 180)
    cv2.imwrite(str(folder / PHOTO), picture)
    (folder / "badges").mkdir()
    (folder / "frames").mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / "frames" / f"{number}.png"), picture)
    site.configure(
        gate={"hold": HOLD},
        camera={"source": "frames:frames", "width": 300, "height": 200, "fps": 5},
        badges={"readers": [{"kind": "stdin"}]},
    )
    return site


def opens(site: Site, ledger: Ledger) -> None:
    """Vault and journal open, are sound, and the chain reaches all that was acknowledged."""
    with closing(open_journal(site.config)) as journal:
        journal.verify(ledger.heads[-1] if ledger.heads else None)
    with closing(open_vault(site.config)) as vault:
        vault.entries()
    for path in (site.config.vault.path, site.config.journal.path):
        with closing(sqlite3.connect(path)) as db:
            assert ("ok",) == db.execute("PRAGMA integrity_check").fetchone()


def kill_again_and_again(site: Site, ledger: Ledger, dice: Random) -> None:
    """Start a worker, kill it at some moment, and look from time to time."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with (site.folder.parent / "stderr.txt").open("wb") as stderr:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.kill_loop", str(site.folder)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        try:
            while (line := nursery.stdout.readline()) not in ("ready\n", ""):
                ledger.heard(json.loads(line))
            for kill in range(KILLS):
                nursery.stdin.write(f"{dice.getrandbits(64)}\n")
                nursery.stdin.flush()
                word, _, pid = nursery.stdout.readline().partition(" ")
                assert "worker" == word
                time.sleep(dice.uniform(0, LONGEST_S))
                os.kill(int(pid), signal.SIGKILL)
                while (line := nursery.stdout.readline()) != "gone\n":
                    ledger.heard(json.loads(line))
                ledger.killed()
                if kill % LOOK_EVERY == 0 and ledger.heads:
                    opens(site, ledger)
        finally:
            nursery.kill()


def test_what_was_acknowledged_outlives_every_kill(busy: Site) -> None:
    """Each badge stands as it was said to, opens or is gone for good, and the journal holds every row it promised."""
    seed = int.from_bytes(os.urandom(4))
    ledger = Ledger()
    kill_again_and_again(busy, ledger, Random(seed))

    print(f"seed {seed}: {KILLS} kills, acknowledged {ledger.done}, cut short {ledger.cut}")
    said = (busy.folder.parent / "stderr.txt").read_text("utf-8")
    assert "Traceback" not in said, said
    assert {"enrol", "withdraw", "present"} == set(ledger.done) == set(ledger.cut)
    opens(busy, ledger)
    check_badges(busy, ledger)
    with closing(open_journal(busy.config)) as journal:
        rows = {row.seq: row.hash for row in journal.rows()}
    assert [] == [head for head in ledger.heads if rows.get(head.seq) != head.hash]
    assert ledger.gone
    assert [] == Hunt({"sealed template": [piece[:32] for piece in ledger.gone]}).in_files([busy.folder])
    assert [] == list(busy.folder.rglob("*.part"))


def check_badges(site: Site, ledger: Ledger) -> None:
    """The vault against the ledger, badge by badge; every template that should open does, and is the right one."""
    engine, book = FakeEngine(), open_book(site.config)
    picture = cv2.imread(str(site.folder / PHOTO))
    assert picture is not None
    expected = engine.embed(np.asarray(picture, np.uint8), engine.detect(np.asarray(picture, np.uint8))[0])
    with closing(open_vault(site.config)) as vault:
        entries = {entry.handle.hex(): entry for entry in vault.entries()}
        for path in site.folder.glob("badges/*.png"):
            credential = book.verify(enrolment.read_badge(path))
            assert isinstance(credential, Credential)
            standing = vault.standing(credential)
            assert not standing.altered
            assert standing.status in ledger.standing.get(standing.handle.hex(), {Status.UNKNOWN, Status.VOLUNTEER})
            if standing.status is Status.VOLUNTEER:
                opened = vault.unseal(credential, FAKE_PACK.id).take().vector
                assert np.allclose(expected, opened, atol=1e-6)
            else:
                with pytest.raises(TemplateUnreadable):
                    vault.unseal(credential, FAKE_PACK.id)
            entries.pop(standing.handle.hex(), None)
    assert {} == entries, "a row without a badge"
