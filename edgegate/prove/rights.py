"""Who may open what is secret, and change what is trusted, by the modes of files."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from edgegate.device_key import public_path
from edgegate.files import exists
from edgegate.prove.inventory import RUNTIME, secrets, stores
from edgegate.prove.report import Claim, Found, Hand, find, judged, listed
from edgegate.prove.scene import Scene

CLOSED, UNCHANGED = 0o077, 0o022
"""What group and others may not: anything at all; write."""


def _secret(scene: Scene) -> list[Path]:
    """Keys, stores, and the folders of the stores and of the day's key."""
    lock, runtime = scene.journal.with_suffix(".lock"), scene.machine.path(RUNTIME)
    places = dict.fromkeys((scene.vault.parent, scene.journal.parent, runtime))
    return [*secrets(scene), *stores(scene), lock, *places]


def _trusted(scene: Scene) -> list[Path]:
    """The configuration, and the public keys by which badges, receipts and reports are believed."""
    config = scene.config
    return [config.file.absolute(), *config.badges.issuers, public_path(config.gate.device_key)]


def by_mode(name: str, files: Callable[[Scene], list[Path]], mask: int) -> Claim:
    """The claim that none of these has a mode with one of those bits."""

    def there(scene: Scene) -> list[Path]:
        return [path for path in files(scene) if exists(path)]

    def look(scene: Scene) -> Found:
        loose = {path: mode for path in there(scene) if (mode := stat.S_IMODE(path.stat().st_mode)) & mask}
        return judged(loose, count=len(there(scene)), files=listed([f"{p} {mode:04o}" for p, mode in loose.items()]))

    def by_find(scene: Scene) -> Hand:
        return Hand(find(tuple(there(scene)), "-maxdepth", "0", "-follow", "-perm", f"/{mask:03o}"))

    return Claim(name, look, by_find)


CLAIMS = (by_mode("rights.secrets", _secret, CLOSED), by_mode("rights.trusted", _trusted, UNCHANGED))
