"""A gate's folder as it should be, for spoiling; and the command of a line, run as an inspector would."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edgegate import device_key
from edgegate.adapters import open_journal, open_vault
from edgegate.badges import issuer
from edgegate.badges.credential import new_credential
from edgegate.calibration import record
from edgegate.config import Config
from edgegate.config_file import load
from edgegate.doctor.machine import Machine
from edgegate.faces.catalogue import embedded
from edgegate.model import Consent, Credential, Template
from edgegate.prove.report import Line
from edgegate.prove.scene import Scene
from edgegate.prove.visit import CLAIMS, look_at
from edgegate.stores import SESSION, Entry
from edgegate.vault import secret

DAY_S = 86_400
TOOLS = ("sqlite3", "openssl", "sha256sum", "find", "stat", "grep", "awk", "od", "ss", "zbarimg", "python3")


@dataclass
class ProvedSite:
    """A gate with three volunteers, one of whom withdrew, a diary badge, and a day of the journal. The issuer's private
    key is in the office, which is another folder."""

    folder: Path
    office: Path
    machine: Machine = field(default_factory=Machine)
    home: Path | None = None

    def build(self) -> None:
        self.folder.mkdir(mode=0o700)
        self.office.mkdir(mode=0o700)
        config = self.configure()
        issuer.create(self.office / "issuer.pub", "Test school", None)
        shutil.copy(self.office / "issuer.pub", self.folder / "issuer.pub")
        secret.create(config.vault.site_secret)
        device_key.make(config.gate.device_key)
        handles = [self.enrol(number) for number in range(3)]
        self.enrol(None)
        with closing(open_vault(config)) as vault:
            vault.withdraw(handles[0])
        now = int(time.time())
        with closing(open_journal(config, create=True)) as journal:
            journal.append(Entry(now - 120, "start"))
            for number in range(5):
                journal.append(
                    Entry(
                        now - 60,
                        "decision",
                        "granted",
                        "match",
                        presentation=number + 1,
                        handle=handles[1],
                        latency_ms=12.3 * number,
                    )
                )
            journal.append(Entry(now - 50, "decision", "refer", "not_enrolled", presentation=6, latency_ms=0.5))
            journal.append(Entry(now - 40, "consent", reason="withdrawn", detail="checked", handle=handles[0]))
            journal.append(Entry(now, SESSION, reason="enroll list", detail="cli:office"))

    def configure(self, **sections: dict[str, Any]) -> Config:
        """Write config.yaml, each section updated with what is given, and load it."""
        raw: dict[str, dict[str, Any]] = {
            "gate": {"name": "Test gate", "language": "en"},
            "camera": {"source": "demo"},
            "badges": {"readers": [{"kind": "qr", "decoder": "zxing"}]},
            "faces": {"pack": "dlib"},
        }
        for name, values in sections.items():
            raw[name] = raw.get(name, {}) | values
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(raw), "utf-8")
        path.chmod(0o600)
        return load(path)

    @property
    def config(self) -> Config:
        return load(self.folder / "config.yaml")

    @property
    def scene(self) -> Scene:
        homes = (self.home,) if self.home is not None else ()
        return Scene(self.config, self.machine, time.time(), homes)

    def enrol(
        self, person: int | None, *, expires_in_s: int = 90 * DAY_S, consent_s: tuple[int, int] = (0, 60 * DAY_S)
    ) -> bytes:
        """A volunteer, with any numbers for a face, or a diary badge (`None`). `consent_s`: begin and end from now."""
        now = int(time.time())
        badge = new_credential("Test school", issued=now, expires=now + expires_in_s)
        template = consent = None
        if person is not None:
            template = Template(np.random.default_rng(person).normal(size=128).astype(np.float32), "dlib/test")
            consent = Consent("both", "2026-1", now + consent_s[0], now + consent_s[1], "fr")
        return self.keep(badge, template, consent)

    def keep(self, badge: Credential, template: Template | None, consent: Consent | None) -> bytes:
        with closing(open_vault(self.config, create=True)) as vault:
            number = badge.badge_id.hex()[:8]
            vault.enrol(badge, card_number="" if badge.plain else number, template=template, consent=consent)
            return vault.handle_of(badge.badge_id)

    def record(self, *entries: Entry) -> None:
        with closing(open_journal(self.config)) as journal:
            for entry in entries:
                journal.append(entry)

    def calibrate(self) -> None:
        """As `edgegate calibrate --save` does: what was measured with the embedded pack, signed by this device."""
        pack, key = embedded(), device_key.load(self.config.gate.device_key)
        fmr = record.Measured(errors=0, trials=30_000, low=0.0, high=1e-4)
        fnmr = record.Measured(errors=3, trials=300, low=0.002, high=0.029)
        side = record.Kept(
            genuine=300,
            genuine_people=100,
            impostor=30_000,
            people_pairs=4950,
            supports_fmr=1e-4,
            thresholds=(record.Threshold(target_fmr=1e-4, threshold=0.61, fmr=fmr, fnmr=fnmr),),
        )
        calibration = record.Calibration(
            pack=pack.id,
            detector_sha256=pack.manifest.detector.sha256,
            recogniser_sha256=pack.manifest.recogniser.sha256,
            data="our pupils",
            pictures=400,
            people=100,
            people_not_enrolled=1,
            made="2026-11-20T10:00:00Z",
            edgegate="0.1.0",
            looks=6,
            per_pair=side,
            per_presentation=side,
            device=key.name,
        )
        record.write(calibration, record.place(pack, self.config.faces.models_dir), key)

    def badge_text(self) -> str:
        """A signed badge, as its QR code says it."""
        now = int(time.time())
        key = issuer.load_private(self.office / "issuer.pub", None)
        return key.sign(new_credential("Test school", issued=now, expires=now + DAY_S))

    @contextmanager
    def vault(self) -> Iterator[sqlite3.Connection]:
        """The file, as anybody may open it who is root."""
        with closing(sqlite3.connect(self.config.vault.path, isolation_level=None)) as db:
            db.execute("PRAGMA ignore_check_constraints=ON")
            yield db

    @contextmanager
    def journal(self) -> Iterator[sqlite3.Connection]:
        """The file, without the triggers that keep it from accidents."""
        with closing(sqlite3.connect(self.config.journal.path, isolation_level=None)) as db:
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                db.execute(f"DROP TRIGGER {name}")
            yield db

    def line(self, name: str) -> Line:
        """What becomes of one claim."""
        return look_at(next(claim for claim in CLAIMS if claim.name == name), self.scene)


def missing_tools(command: str) -> list[str]:
    """Programs that a command needs and this machine lacks."""
    words = set(command.replace("(", " ").replace(")", " ").split())
    return [tool for tool in TOOLS if tool in words and shutil.which(tool) is None]


def by_hand(line: Line) -> str:
    """What the line's command prints, run by a shell that knows nothing of EdgeGate."""
    assert line.hand is not None
    done = subprocess.run(["sh", "-c", line.hand.command], capture_output=True, text=True, timeout=120, check=False)
    return done.stdout.rstrip("\n")
