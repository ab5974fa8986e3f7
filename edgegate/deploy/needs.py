"""What a configuration asks of the system: network, CSI camera, reader rules, keys. Printed as JSON.

Run by the installed version's own Python (`python -m edgegate.deploy.needs CONFIG`), because reading a configuration
takes pydantic and YAML, which the installer itself does without.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from edgegate.config import Config, HidReader, SerialReader
from edgegate.config_file import load
from edgegate.errors import EdgeGateError

_SAFE = re.compile(r"/dev/[\w.:@+/-]+")


def needs(config: Config) -> dict[str, Any]:
    """`network`, `csi`: bool; `rules`: udev lines; `issuers`, `secret`, `device_key`, `stores`: paths as text."""
    readers = [reader for reader in config.badges.readers if isinstance(reader, HidReader | SerialReader)]
    return {
        "network": config.camera.kind == "rtsp",
        "csi": config.camera.kind == "picamera2",
        "rules": [_rule(reader) for reader in readers],
        "issuers": [str(path) for path in config.badges.issuers],
        "secret": str(config.vault.site_secret),
        "device_key": str(config.gate.device_key),
        "stores": [str(config.vault.path), str(config.journal.path)],
    }


def _rule(reader: HidReader | SerialReader) -> str:
    """A udev line that gives this one reader to the gate."""
    give = 'GROUP="edgegate", MODE="0660"'
    device = str(reader.device)
    subsystem, kernel = ("input", "event*") if isinstance(reader, HidReader) else ("tty", "tty*")
    if isinstance(reader, HidReader) and not device.startswith("/"):
        vendor, _, product = device.lower().partition(":")
        match = f'ATTRS{{id/vendor}}=="{vendor}", ATTRS{{id/product}}=="{product}"'
        return f'SUBSYSTEM=="{subsystem}", KERNEL=="{kernel}", {match}, {give}'
    if not _SAFE.fullmatch(device):
        raise EdgeGateError("is not a name that a udev rule can hold", where=device, next="use its path below /dev")
    name = device.removeprefix("/dev/")
    if "/by-" in name:
        return f'SUBSYSTEM=="{subsystem}", KERNEL=="{kernel}", SYMLINK=="{name}", {give}'
    return f'SUBSYSTEM=="{subsystem}", KERNEL=="{Path(name).name}", {give}'


def main(argv: list[str]) -> int:
    """The program; its one argument is the configuration."""
    try:
        print(json.dumps(needs(load(Path(argv[0])))))
    except EdgeGateError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
