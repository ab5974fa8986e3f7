"""Wires and plugs in what the gate is to find when it starts: chip, reader, camera before an empty hall."""

from __future__ import annotations

from .parts import Camera, Chip, Reader

HALL = "/opt/machine/pictures/hall"

if __name__ == "__main__":
    Chip().plug()
    Reader().make().plug()
    Camera().make(HALL).plug()
