"""`edgegate liveness test DIR`: how well live faces are told from pictures of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cv2
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from edgegate import __version__, logs
from edgegate.adapters import load_faces, load_liveness
from edgegate.calibration.problems import printable
from edgegate.camera.recorded import VideoCamera
from edgegate.cli.common import config_option, configuration_or_defaults
from edgegate.errors import EdgeGateError, EndOfFrames
from edgegate.faces.look import find
from edgegate.files import exists, write_private
from edgegate.images import read_image
from edgegate.liveness import material
from edgegate.liveness.evaluation import Tally, judge
from edgegate.liveness.page import html
from edgegate.liveness.report import HEADINGS, Report, as_dict, facts, notes, rows
from edgegate.model import Image, Look
from edgegate.ports import Face, FaceEngine, LivenessEngine

LOOKS_A_SECOND = 10
"""About how often the gate looks: of a video, so many frames a second are taken."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("liveness", help="presentation attack detection")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    test = actions.add_parser(
        "test",
        help="measure it on labelled pictures and videos",
        description="Reads DIR/bona_fide and one folder for each species of attack (DIR/print, DIR/replay_phone, …). "
        "In them, a picture is one frame by itself; a folder of pictures, or a video, is one presentation. Nothing of "
        "a picture is kept.",
    )
    config_option(test)
    test.add_argument("folder", type=Path, metavar="DIR", help="a folder with bona_fide/ and folders of attacks")
    test.add_argument(
        "--liveness-pack", metavar="PACK", help="instead of the configuration's: fake, a name or a directory"
    )
    test.add_argument("--pack", help="finds the faces; instead of the configuration's faces.pack")
    test.add_argument("--no-cues", action="store_true", help="the engine alone, without the cues of a sequence")
    output = test.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="also write a page")
    test.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    logs.hush_libraries()
    found = material.find(args.folder)
    if args.html is not None and exists(args.html):
        raise EdgeGateError("exists already", where=str(args.html), next="name another file")
    faces = load_faces(config, args.pack)
    engine = load_liveness(config, faces.pack, args.liveness_pack)
    report = Report(
        data=printable(args.folder.resolve().name),
        engine=engine.name,
        live_at=engine.live_at,
        spoof_below=engine.spoof_below,
        detector=faces.pack.id,
        made=datetime.now(UTC).date().isoformat(),
        version=__version__,
        with_cues=not args.no_cues,
        problems=found.problems,
    )
    _judge_all(found, engine, faces.engine, report)
    for problem in report.problems:
        print(printable(problem), file=sys.stderr)
    if not any(tally.frames for tally in (report.bona_fide, *report.attacks.values())):
        raise EdgeGateError("holds no picture that can be read", where=str(args.folder), next="see the lines above")
    if args.json:
        print(json.dumps(as_dict(report), allow_nan=False))
    else:
        _show(report)
    if args.html is not None:
        write_private(args.html, html(report).encode())
        print(f"{args.html} holds the page")
    return 0


def _judge_all(found: material.Material, engine: LivenessEngine, faces: FaceEngine, report: Report) -> None:
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    find_face = partial(_compared, engine=faces)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        for species, source in bar.track(found.sources):
            frames = _frames(source, report)
            outcome = judge(frames, find_face, engine, with_cues=report.with_cues, sequence=source.sequence)
            if outcome.scores:
                tally = report.bona_fide if species is None else report.attacks.setdefault(printable(species), Tally())
                tally.add(outcome, engine.live_at, sequence=source.sequence)


def _compared(image: Image, engine: FaceEngine) -> Face | None:
    """The face that the gate would compare; None for nobody, several, or one that is not fit."""
    found = find(image, engine)
    return None if isinstance(found, Look) else found.face


def _frames(source: material.Source, report: Report) -> Iterator[Image]:
    """The pictures of a source; what cannot be read is one line in the report."""
    pictures = _video(source.paths[0], report) if source.video else _pictures(source, report)
    for image in pictures:
        report.sizes.add((image.shape[1], image.shape[0]))
        yield image


def _pictures(source: material.Source, report: Report) -> Iterator[Image]:
    for path in source.paths:
        try:
            yield read_image(path)
        except EdgeGateError as error:
            report.problems.append(str(error))


def _video(path: Path, report: Report) -> Iterator[Image]:
    camera = VideoCamera(path)
    with closing(camera):
        try:
            camera.open()
            step = max(1, round(_fps(path) / LOOKS_A_SECOND))
            while True:
                image = camera.read()
                yield image
                for _ in range(step - 1):
                    camera.read()
        except EndOfFrames:
            return
        except EdgeGateError as error:
            report.problems.append(f"{path}: {error.what}; {error.next}")


def _fps(path: Path) -> float:
    capture = cv2.VideoCapture(str(path))
    try:
        return min(240.0, capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()


def _show(report: Report) -> None:
    console = Console(highlight=False)
    for title, text in facts(report):
        console.print(f"{title:<9} {text}", markup=False)
    for unit, by_presentation in (("frame", False), ("presentation", True)):
        if by_presentation and not report.presentations:
            continue
        table = Table(box=box.SIMPLE, title=f"per {unit}", title_justify="left")
        for number, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if number else "left")
        for row in rows(report, by_presentation=by_presentation):
            table.add_row(*row)
        console.print(table)
    for note in notes(report):
        console.print(note, markup=False)
    if report.problems:
        console.print(f"{len(report.problems)} file(s) or folder(s) were not used, see above", markup=False)
