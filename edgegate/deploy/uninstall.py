"""`edgegate service uninstall`: everything that was installed goes; configuration and state only when asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from edgegate.deploy import assets, system, trial, unit
from edgegate.deploy.host import Host
from edgegate.deploy.versions import FOLDER

Say = Callable[[str, str], None]
KEPT = ("/etc/edgegate", "/var/lib/edgegate")


def uninstall(host: Host, say: Say, *, purge: bool) -> int:
    """Stop, disable and remove. With `purge`, keys, vault, journal and the user too."""
    host.require()
    with host.alone():
        for name in (unit.NAME, unit.SAFE):
            host.systemctl("disable", "--now", "--quiet", name, check=False) if host.live else host.systemctl(
                "disable", "--quiet", name, check=False
            )
        # A stop starts the holder of the outputs: it goes last.
        host.systemctl("stop", unit.SAFE, check=False)
        places = [trial.UNIT, *assets.PLACES.values(), *assets.CHOSEN.values(), assets.READER_RULES, assets.SEALED]
        gone = [place for place in places if _unlink(host, place)]
        for folder in (assets.DROP_INS, "/run/edgegate"):
            shutil.rmtree(host.path(folder), ignore_errors=True)
        command = host.path(system.COMMAND)
        if command.is_symlink() and str(command.readlink()).startswith(FOLDER):
            command.unlink()
            gone.append(system.COMMAND)
        if host.path(FOLDER).exists():
            shutil.rmtree(host.path(FOLDER))
            gone.append(FOLDER)
        say("removed", ", ".join(gone) if gone else "nothing to do")
        system.reload(host, gone)
        host.systemctl("reset-failed", unit.NAME, unit.SAFE, check=False)
        if purge:
            _purge(host, say)
        else:
            kept = [path for path in KEPT if host.path(path).exists()]
            say("kept", f"{' and '.join(kept)} (--purge removes them)" if kept else "nothing")
    return 0


def _purge(host: Host, say: Say) -> None:
    gone = [path for path in KEPT if host.path(path).exists()]
    for path in gone:
        shutil.rmtree(host.path(path))
    users = host.path("/etc/passwd")
    if users.exists() and "\nedgegate:" in f"\n{users.read_text('utf-8')}":
        root = () if host.live else ("--root", str(host.root))
        if os.geteuid() == 0:
            host.run("userdel", *root, "edgegate")
            gone.append("user edgegate")
    say("purged", ", ".join(gone) if gone else "nothing to do")


def _unlink(host: Host, place: str) -> bool:
    path = host.path(place)
    if not path.exists():
        return False
    path.unlink()
    return True
