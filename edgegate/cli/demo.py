"""`edgegate demo`: the real daemon on a simulated gate."""

from __future__ import annotations

import argparse
import logging
import tempfile
from contextlib import closing
from pathlib import Path

from rich.console import Console

from edgegate.adapters import open_journal
from edgegate.app import App
from edgegate.camera.stage import StageCamera
from edgegate.cli.common import config_option
from edgegate.clock import RealClock, VirtualClock
from edgegate.demo.acts import acts
from edgegate.demo.cast import prepare
from edgegate.demo.director import Director
from edgegate.demo.terminal import Terminal, draw, table
from edgegate.model import Button, WithdrawalArmed
from edgegate.testing import press
from edgegate.words import LANGUAGES, Words

INTRODUCTION = (
    "[bold]EdgeGate, simulated gate.[/bold] The daemon, badges, vault, journal and face comparison are real. "
    "The pictures are [bold]simulated[/bold]: faces from images that scikit-image and insightface carry, re-lit, "
    "turned, blurred and noised; the pins are mock pins. It says nothing of accuracy at a door."
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="a simulated gate, end to end",
        description="Runs the real daemon before a composed picture, in a temporary folder; needs no configuration. "
        "Exit code 1 when a decision is not the expected one.",
    )
    config_option(parser)
    parser.add_argument("--fast", action="store_true", help="on a virtual clock, as fast as the machine computes")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the gate's words (default en)")
    parser.add_argument("--pack", default="dlib", help="face pack: auto, a name or a directory (default dlib)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw the table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    logging.getLogger().setLevel(logging.ERROR)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    words = Words(args.language)
    console.print(INTRODUCTION)
    with tempfile.TemporaryDirectory(prefix="edgegate-demo-") as folder:
        pack = str(Path(args.pack).resolve()) if "/" in args.pack else args.pack
        cast = prepare(Path(folder), language=args.language, pace="fast" if args.fast else "real", pack=pack)
        terminal = Terminal(console, words)
        clock = VirtualClock() if args.fast else RealClock()
        director = Director(acts(cast), clock, terminal.announce)
        camera = StageCamera(director.direct, cast.config.camera.width, cast.config.camera.height)
        director.unplug = lambda out: setattr(camera, "unplugged", out)
        with App(cast.config, clock=clock, camera=camera, observers=(terminal, director), until_end=True) as app:
            engine = app.faces.engine if app.faces else None
            if engine is not None:
                director.face_work = lambda: engine.detections + engine.embeddings
            director.press = lambda button: press(app.signals, Button(button))
            director.arm = lambda: app.inbox.post(WithdrawalArmed())
            app.run()
        with closing(open_journal(cast.config)) as journal:
            rows = journal.verify()
    console.print()
    console.print(table(director.results))
    inside = sum(result.face_work for result in director.results if result.act.volunteer)
    total = director.face_work()
    console.print(
        f"Face work: {total} calls of detector and recogniser, {total - inside} outside a volunteer's presentation."
    )
    console.print(
        f"Journal: {rows} rows, the chain holds. Vault, badges and journal were in a temporary folder, now gone."
    )
    if args.svg is not None:
        draw(director.results, args.svg)
    return 0 if total == inside and all(result.good for result in director.results) else 1
