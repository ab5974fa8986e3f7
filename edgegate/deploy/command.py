"""The command line of `edgegate service`, shared by `edgegate` itself and by a wheel that installs itself."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from edgegate import __version__
from edgegate.deploy.host import Host, disk_full
from edgegate.deploy.install import Wish, install, upgrade
from edgegate.deploy.status import status
from edgegate.deploy.uninstall import KEPT, uninstall
from edgegate.errors import EdgeGateError

_INDENT = 15


def options(parser: argparse.ArgumentParser) -> None:
    """`install`, `upgrade`, `status` and `uninstall` below `parser`."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, text in (
        ("install", "make user, version, configuration and unit, and start; each step only if it is not done"),
        ("upgrade", "install another version beside this one, try it, go back if it is not READY"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--from", dest="source", type=Path, metavar="WHEEL|CHECKOUT", help="what to install")
        action.add_argument("--wheels", type=Path, metavar="DIR", help="an unpacked bundle, or a folder of wheels")
        action.add_argument("--python", type=Path, metavar="FILE", help="the interpreter to build on")
        action.add_argument("--ready-within", type=float, default=60.0, metavar="S", help="seconds until READY (60)")
        action.add_argument(
            "--seal-secret",
            choices=("auto", "tpm2", "host", "no"),
            default="auto",
            help="encrypt the site secret: by the TPM if there is one (auto)",
        )
        if name == "install":
            action.add_argument("--no-start", action="store_true", help="start nothing now")
    actions.add_parser("status", help="does it run, which version, what to do next")
    action = actions.add_parser("uninstall", help="remove it; configuration, keys and data stay")
    action.add_argument("--purge", action="store_true", help="remove configuration, keys and data too")
    action.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, host: Host | None = None) -> int:
    """Do what was asked. Returns the exit code; raises EdgeGateError when it cannot."""
    host = host or Host()
    if args.action == "status":
        return status(host, say)
    # A technician's terminal that goes away must not leave a device half-way.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        if args.action == "uninstall":
            host.require()
            if args.purge and not args.yes:
                _ask()
            return uninstall(host, say, purge=args.purge)
        wish = Wish(
            args.source,
            args.wheels,
            args.python,
            not getattr(args, "no_start", False),
            args.seal_secret,
            args.ready_within,
        )
        return (install if args.action == "install" else upgrade)(host, wish, say)
    except OSError as error:
        what = "the disk is full" if disk_full(error) else f"cannot be written ({error.strerror})"
        raise EdgeGateError(
            what, where=str(error.filename or "service"), next="mend this, then run the same command again"
        ) from None
    finally:
        signal.signal(signal.SIGHUP, before)


def main(argv: list[str]) -> int:
    """`python3 -m edgegate.deploy`, with the words of `edgegate service`."""
    parser = argparse.ArgumentParser(prog="edgegate service", description="The gate as a service of this machine.")
    parser.add_argument("--version", action="version", version=f"edgegate {__version__}")
    options(parser)
    try:
        return run(parser.parse_args(argv))
    except EdgeGateError as error:
        print(f"edgegate: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def say(step: str, text: str) -> None:
    """One line of the screen, if there still is one."""
    try:
        print(f"{step:<{_INDENT}}{text}", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _ask() -> None:
    """Keys and vault cannot be brought back."""
    if not sys.stdin.isatty():
        raise EdgeGateError("--purge removes keys and data for ever", next="add --yes")
    print(f"Remove {' and '.join(KEPT)} with all keys, enrolments and decisions, for ever? Type purge: ", end="")
    if sys.stdin.readline().strip() != "purge":
        raise EdgeGateError("nothing was removed", next="type purge, or add --yes")
