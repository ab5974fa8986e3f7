"""What is past its date, where this gate keeps anything, and the search there for what was erased."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from edgegate import erasure
from edgegate.config import Config
from edgegate.stores import Erased

log = logging.getLogger(__name__)

CHECKED, FOUND, UNREAD = "checked", "found", "unread"
"""What the journal says of a search: nothing is left, something is, or a file could not be read."""


COPIES = Path("/opt/edgegate/before-upgrade")
"""Where an upgrade keeps copies of the stores while it tries a version; they stay if it is killed, until the next."""


def state_folders(config: Config) -> tuple[Path, ...]:
    """The folders of vault and journal, and of their copies: all that a receipt says is read below these."""
    folders = [path.absolute().parent for path in (config.vault.path, config.journal.path)]
    return tuple(dict.fromkeys([*folders, *([COPIES] if COPIES.exists() else [])]))


def searched(erased: Erased, config: Config, compact: Callable[[], object]) -> str:
    """Look for what was just erased, as the running gate does. Returns one of the three words.

    All below the state folders is read but the models: hundreds of megabytes, verified by hash when they are loaded,
    which would hold the gate up for longer than systemd waits.
    """
    result = erasure.forget(lambda: erased, _without_models(config), compact=compact)
    for path in result.found:
        log.error("erasure: %s still holds some of what was erased; delete it if it is a copy", path)
    if result.unread is not None:
        log.error("erasure: %s", result.unread)
    return word_for(result)


def word_for(result: erasure.Forgotten) -> str:
    """One of the three words."""
    return FOUND if result.found else UNREAD if result.unread is not None else CHECKED


def _without_models(config: Config) -> list[Path]:
    models, found = config.faces.models_dir.absolute(), list[Path]()
    for folder in state_folders(config):
        try:
            found += [path for path in folder.iterdir() if path != models] if folder in models.parents else [folder]
        except OSError:
            found.append(folder)  # the search says what is wrong with it
    return found
