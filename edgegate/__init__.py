"""EdgeGate: a school gate that checks volunteers' badges and faces 1:1, on the device."""

__version__ = "0.1.0"
