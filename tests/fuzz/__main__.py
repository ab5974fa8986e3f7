"""Runs one target: `python -m tests.fuzz TARGET [--seconds N]`. What fails is printed with its input."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

TARGETS = ("credential", "rows", "pages")
SLOWEST_S = 20
LIBRARIES = ["edgegate", "base45", "cbor2", "cwt"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    try:
        import atheris
    except ImportError:
        version = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        print(
            f"{args.target}: not fuzzed: atheris has wheels for x86-64 and Python 3.11 to 3.13 only, here is {version}"
        )
        return 0
    with atheris.instrument_imports(include=LIBRARIES):
        target = import_module(f"tests.fuzz.{args.target}")
    with tempfile.TemporaryDirectory(prefix="edgegate-fuzz-") as folder:
        for number, seed in enumerate(target.seeds()):
            (Path(folder) / f"{number:03}").write_bytes(seed)
        options = {
            "max_total_time": args.seconds,
            "timeout": SLOWEST_S,
            "max_len": target.MAX_LEN,
            "len_control": 0,  # long inputs from the beginning: they take no longer here
            "verbosity": 0,
            "print_final_stats": 1,
            "artifact_prefix": f"{tempfile.gettempdir()}/",
        }
        words = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *words, folder], target.check)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
