"""Wires and plugs in what the gate is to find when it starts: chip, reader, camera before an empty hall."""

from __future__ import annotations

from .parts import Camera, Chip, Reader, UsbDevice

HALL = "/opt/machine/pictures/hall"
TRIES = 3


def plug(device: UsbDevice) -> None:
    """An emulated controller that is busy with the boot now and then loses a plug: pull it out and plug it in again."""
    for left in reversed(range(TRIES)):
        try:
            return device.plug()
        except TimeoutError:
            if not left:
                raise
            device.unplug()


if __name__ == "__main__":
    Chip().plug()
    plug(Reader().make())
    plug(Camera().make(HALL))
