"""EdgeGate: a school gate that checks volunteers' badges and faces 1:1, on the device."""

__version__ = "0.1.0"
BUILT = 1_795_219_200
"""When this version was made (2026-11-21, UTC seconds): no right clock shows an earlier time."""
