"""What many tests share: a site with keys and vault, portraits, and the photographs and weights beside the repository.

`EDGEGATE_SHARED` names the folder with real weights and photographs (default: `shared` beside the checkout). Where
it is not, the tests that need it are skipped and say so; with `EDGEGATE_REQUIRE_SHARED=1` (CI) they fail instead.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from edgegate import device_key, enrolment
from edgegate.adapters import open_book, open_vault
from edgegate.badges import issuer
from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.cli import main
from edgegate.config import Config
from edgegate.config_file import load
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.model import Consent, Image, Template, TemplateForm
from edgegate.vault import secret

pytest.register_assert_rewrite(
    *("tests.commands", "tests.bad_input", "tests.heart", "tests.recordings", "tests.small_pack"),
)

ROOT = Path(__file__).parent.parent
DAY_S = 86_400
WIDTH, HEIGHT = 640, 360


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real weights and photographs."""
    folder = Path(os.environ.get("EDGEGATE_SHARED", ROOT.parent / "shared"))
    if not (folder / "models").is_dir():
        reason = f"no weights and photographs in {folder}; name their folder with EDGEGATE_SHARED"
        if os.environ.get("EDGEGATE_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@dataclass
class Site:
    """A gate's folder: configuration, keys, vault. Faces are the fake engine's squares unless told otherwise."""

    folder: Path

    def configure(self, **sections: dict[str, Any]) -> Config:
        """Write config.yaml: the defaults of these tests, each section updated with what is given, and load it."""
        raw: dict[str, dict[str, Any]] = {
            "gate": {"name": "Test gate", "language": "en"},
            "camera": {"source": "demo", "width": WIDTH, "height": HEIGHT, "fps": 15, "pace": "fast"},
            "badges": {"readers": [{"kind": "qr", "decoder": "zxing"}]},
            "faces": {"pack": "fake"},
            "signals": {"pins": "mock"},
        }
        for name, values in sections.items():
            raw[name] = raw.get(name, {}) | values
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(raw), "utf-8")
        return load(path)

    @property
    def config(self) -> Config:
        return load(self.folder / "config.yaml")

    def enrol(
        self,
        person: str | None,
        *,
        expires_in_s: int = 90 * DAY_S,
        consent_in_s: int | None = None,
        badge: str = "",
        form: TemplateForm = TemplateForm.BADGE_KEYED,
        pack_id: str | None = None,
    ) -> enrolment.Enrolled:
        """Enrol one of the fake engine's people, or issue a diary badge (`None`); `badge` names the picture's file."""
        config, now = self.config, int(time.time())
        template = consent = None
        if person is not None:
            picture = np.zeros((300, 300, 3), np.uint8)
            draw_face(picture, person, 50, 50, 200)
            engine = FakeEngine()
            template = Template(engine.embed(picture, engine.detect(picture)[0]), pack_id or FAKE_PACK.id)
            consent = Consent("both", "1", now, now + (expires_in_s if consent_in_s is None else consent_in_s), "en")
        vault = open_vault(config, create=True)
        try:
            return enrolment.issue(
                vault,
                issuer.load_private(config.badges.issuers[0], None),
                template=template,
                consent=consent,
                expires=now + expires_in_s,
                now=now,
                badge_out=enrolment.BadgeOut.file(self.folder / badge) if badge else None,
                form=form,
            )
        finally:
            vault.close()

    def revoke(self, enrolled: enrolment.Enrolled) -> None:
        vault = open_vault(self.config)
        vault.revoke(enrolled.handle)
        vault.close()

    def withdraw(self, enrolled: enrolment.Enrolled) -> None:
        with closing(open_vault(self.config)) as vault:
            vault.withdraw(enrolled.handle)

    def verifies(self, text: str) -> bool:
        return open_book(self.config).verify(text) is not None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A fresh site with an issuer (no passphrase), a site secret and a device key."""
    made = Site(tmp_path)
    config = made.configure()
    issuer.create(config.badges.issuers[0], "Test school", None)
    secret.create(config.vault.site_secret)
    device_key.make(config.gate.device_key)
    return made


@pytest.fixture(autouse=True)
def same_log_level() -> Iterator[None]:
    """`demo` and `bench` log errors only, from then on and in this process: the next test wants to hear all again."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process, in a folder: exit code, stdout, stderr."""

    def run(*args: str | Path, cwd: Path | None = None) -> tuple[int, str, str]:
        if cwd is not None:
            monkeypatch.chdir(cwd)
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def one_line(err: str) -> str:
    """The last line of what a command said; fails when it showed a traceback."""
    assert "Traceback" not in err, err
    return err.strip().splitlines()[-1] if err.strip() else ""


def blank(width: int = WIDTH, height: int = HEIGHT) -> Image:
    """An empty entrance."""
    return np.full((height, width, 3), 170, np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs as an office might take them, of people whose pictures the dependencies carry."""
    folder, dice = tmp_path_factory.mktemp("photos"), np.random.default_rng(11)

    def take(name: str, *people: str) -> Image:
        picture = compose(Scene(tuple(portrait(person) for person in people)), 1280, 720, dice)
        cv2.imwrite(str(folder / f"{name}.png"), picture)
        return picture

    for name in ("anna1", "anna2", "anna3"):
        take(name, "astronaut")
    take("ben1", "group-1")
    take("ben2", "group-1")
    take("hall")
    take("both", "astronaut", "group-1")
    cv2.imwrite(str(folder / "blurred.png"), cv2.GaussianBlur(take("anna4", "astronaut"), (0, 0), 7))
    return folder


@pytest.fixture
def same_signal_handlers() -> Iterator[None]:
    """`run` answers SIGTERM and SIGINT in this process too: give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
