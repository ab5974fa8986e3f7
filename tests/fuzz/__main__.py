"""Runs one target: `python -m tests.fuzz TARGET [--seconds N]`. What fails is printed with its input."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

TARGETS = ("credential", "rows", "pages")
SLOWEST_S = 20
LIBRARIES = ["edgegate", "base45", "cbor2", "cwt"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    if find_spec("atheris") is None:
        here = f"{platform.machine()} with Python {sys.version_info[0]}.{sys.version_info[1]}"
        print(f"{args.target}: not fuzzed: no atheris (wheels: x86-64 with Python 3.11 to 3.13; here: {here})")
        return 0
    with tempfile.TemporaryDirectory(prefix="edgegate-fuzz-") as folder:
        # The fuzzer ends its process when it is done, or has found something: somebody else has to tidy up.
        child = os.fork()
        if child == 0:
            fuzz(args.target, args.seconds, Path(folder))
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Never returns."""
    import atheris

    with atheris.instrument_imports(include=LIBRARIES):
        target = import_module(f"tests.fuzz.{name}")
    for number, seed in enumerate(target.seeds()):
        (folder / f"{number:03}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "timeout": SLOWEST_S,
        "max_len": target.MAX_LEN,
        "len_control": 0,  # long inputs from the beginning: they take no longer here
        "verbosity": 0,
        "print_final_stats": 1,
        "artifact_prefix": f"{tempfile.gettempdir()}/",
    }
    words = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(folder)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
