"""What a reader on a cable says when it cannot be had: one line, and what to do."""

from __future__ import annotations

import errno

from edgegate.errors import ReaderLost

_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_TAKEN = (errno.EBUSY, errno.EAGAIN)


def unplugged(name: str) -> ReaderLost:
    """It no longer answers."""
    return ReaderLost("was unplugged", where=name, next="plug it in again")


def not_there(name: str, hint: str) -> ReaderLost:
    """Nothing of this name is plugged in; `hint` says what else it may be."""
    return ReaderLost("is not there", where=name, next=f"plug it in; {hint}")


def refused(error: OSError, name: str, hint: str) -> ReaderLost:
    """The system does not open it."""
    if error.errno in _ABSENT:
        return not_there(name, hint)
    if error.errno in _FORBIDDEN:
        what, advice = "must not be opened by this user", "run `edgegate service install`, or join its owner's group"
    elif error.errno in _TAKEN:
        what, advice = "is held by another program", "end that one; `fuser -v` on the device names it"
    else:
        what, advice = f"does not open ({error.strerror or error})", "unplug it and plug it in again"
    return ReaderLost(what, where=name, next=advice)
