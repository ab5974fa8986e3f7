"""The command `edgegate`. Each module of this package holds one command and says so with `add`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from importlib import import_module
from typing import NoReturn

from edgegate import __version__, logs, memory
from edgegate.errors import EdgeGateError

COMMANDS = (
    *("run", "check", "issuer", "device", "enroll", "consent", "verify", "models", "calibrate", "liveness"),
    *("journal", "lockdown", "clock", "prove", "dpia", "service", "doctor", "signals", "wiring"),
    *("simulate", "demo", "bench"),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole command line; or that of one command, which alone is imported then: `signals safe`, after a crash,
    must not wait for OpenCV to load."""
    top = _Parser(prog="edgegate", description="A school gate: badge, then 1:1 face comparison for volunteers only.")
    top.add_argument("--version", action="version", version=f"edgegate {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name in (only,) if only in COMMANDS else COMMANDS:
        import_module(f"edgegate.cli.{name}").add(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 checked and found wanting, 2 cannot."""
    logs.start()
    memory.guard()
    argv = sys.argv[1:] if argv is None else argv
    try:
        # Importing a command takes seconds on a small machine: Ctrl-C meanwhile is no traceback either.
        args = parser(argv[0] if argv else None).parse_args(argv)
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except EdgeGateError as error:
        print(f"edgegate: {error}" if "\n" not in str(error) else error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # Standard output on a full disk, above all; files that commands read and write have their own words.
        place = f"{error.filename}: " if error.filename else ""
        print(f"edgegate: {place}{error.strerror}; check the disk, the name and its permissions", file=sys.stderr)
        return 2
    except Exception as error:
        # The text of an unforeseen error may quote what it was given: say where it happened, not what it says.
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        print(f"edgegate: internal error ({type(error).__name__} in {place}); please report it", file=sys.stderr)
        return 70
