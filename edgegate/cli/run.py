"""`edgegate run`: the daemon."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

from edgegate import logs
from edgegate.app import App
from edgegate.cli.common import config_option, configuration
from edgegate.errors import EdgeGateError
from edgegate.events import JsonLines
from edgegate.notify import Systemd
from edgegate.ports import Observer
from edgegate.words import Words


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("run", help="run the gate")
    config_option(parser)
    parser.add_argument("--events", metavar="FILE", help="write what the gate does as lines of JSON; - for stdout")
    parser.add_argument("--until-end", action="store_true", help="with frames: or video:, stop when they have ended")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    if args.until_end and config.camera.kind not in ("frames", "video"):
        raise EdgeGateError(
            "a camera has no end", where="--until-end", next="use it with camera.source frames: or video:"
        )
    logs.hush_libraries()
    with ExitStack() as stack:
        words = Words(config.gate.language)
        systemd = Systemd(words)
        stack.callback(systemd.close)
        observers: list[Observer] = [systemd]
        if args.events is not None:
            stream = _stdout() if args.events == "-" else _append(Path(args.events))
            stack.callback(_close, stream)
            observers.append(JsonLines(stream, words))
        asked: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            # While models load there is no loop to stop yet: remember that it was asked for.
            signal.signal(number, lambda number, _: asked.append(number))
        app = stack.enter_context(App(config, observers=observers, until_end=args.until_end, beat=systemd.beat))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: app.stop())
        if not asked:
            app.run()
        systemd.stopping()
    return 0


def _stdout() -> TextIO:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8, whatever the locale says
    return sys.stdout


def _append(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=str(path), next="name a file in a folder of yours"
        ) from None


def _close(stream: TextIO) -> None:
    if stream is not sys.stdout:
        with suppress(OSError):  # a full disk was told when the event was written
            stream.close()
