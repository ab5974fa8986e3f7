"""What is in memory stays there, and no longer than it is needed: no core dump, nothing left behind in freed memory.

Three locks on the process (`guard`), since each of them alone leaves a gap:

- no core dump by its size limit (RLIMIT_CORE), which the kernel does not ask where dumps are piped to a program
  (core(5)), as they are on most desktops;
- not dumpable (prctl(2), PR_SET_DUMPABLE): then the kernel writes none at all, and nobody but root may look into this
  process' memory or at the files it holds open. Programs that it starts are dumpable again, and it may still read its
  own `/proc/self/fd` and `maps`, but not `/proc/self/environ`, unless it is root;
- freed memory is overwritten (mallopt(3), M_PERTURB), also what libraries took and gave back, which nobody here could
  reach: 0.3 ms for all the work on a picture of 1280 x 720 [measured, x86-64]. Only glibc does it, and not for pieces
  below a kilobyte, unless GLIBC_TUNABLES says `glibc.malloc.tcache_count=0`; nor for the small objects that Python
  keeps in arenas of its own, such as texts, unless PYTHONMALLOC says `malloc`.

What is still referred to is overwritten by those who made it, with `Wiped` or `fill(0)`.
"""

from __future__ import annotations

import ctypes
import logging
import resource
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:  # a command that has no pictures must not wait for numpy
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4
_M_PERTURB = -6
_FREED = 0xFF
"""What freed memory is filled with. New memory gets its complement, zeros: the most harmless for a library that reads
what it never wrote."""

Array = TypeVar("Array", bound="NDArray[Any]")


def guard() -> None:
    """Guard this process, before it touches anything of a person's, and before it has threads."""
    # The hard limit stays: programs that this one starts inherit it, and the second lock holds without it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("core dumps: the kernel does not let this process forbid them; set LimitCORE=0 for the service")
    overwrite = getattr(system, "mallopt", None)
    if overwrite is None or overwrite(_M_PERTURB, _FREED) != 1:
        log.info("memory: this C library does not overwrite what is freed")


class Wiped:
    """Arrays that are overwritten with zeros when the work with them is over, however it ends.

    >>> with Wiped() as wiped:
    ...     small = wiped(cv2.resize(picture, (112, 112)))
    """

    def __init__(self) -> None:
        self._arrays: list[NDArray[Any]] = []

    def __call__(self, array: Array) -> Array:
        """The array itself, which must be nobody else's."""
        self._arrays.append(array)
        return array

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for array in self._arrays:
            array.fill(0)
        self._arrays.clear()
