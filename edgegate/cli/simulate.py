"""`edgegate simulate`: frames of a person with a badge, for trying a gate without a camera."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from edgegate.adapters import load_faces
from edgegate.camera.people import cut_out
from edgegate.camera.scene import Scene, compose
from edgegate.camera.scripted import Sensor
from edgegate.cli.common import config_option, configuration_or_defaults
from edgegate.errors import EdgeGateError, PhotoRefused
from edgegate.images import read_image

MAX_FRAMES = 3000


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "simulate",
        help="compose frames for camera.source: frames:DIR",
        description="Writes pictures of the person of a photograph holding up a badge. They show a face: delete them.",
    )
    config_option(parser)
    parser.add_argument("--photo", type=Path, metavar="FILE", help="who holds it (default: nobody)")
    parser.add_argument("--badge", type=Path, metavar="FILE", help="badge image to hold up (default: none)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to, new or empty")
    parser.add_argument("--frames", type=int, default=30, metavar="N", help="how many (default 30)")
    parser.add_argument("--phone", action="store_true", help="show the badge on a phone instead of a card")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    if not 0 < args.frames <= MAX_FRAMES:
        raise EdgeGateError(f"{args.frames} frames", where="--frames", next=f"give 1 to {MAX_FRAMES}")
    portraits = []
    if args.photo is not None:
        image = read_image(args.photo)
        found = load_faces(config).engine.detect(image)
        if not found:
            raise PhotoRefused(
                "no_face", "no face is found", where=str(args.photo), next="use one taken from the front"
            )
        portraits.append(cut_out(image, found[0].box))
    badge = read_image(args.badge) if args.badge is not None else None
    scene = Scene(tuple(portraits), badge, "phone" if args.phone else "card")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        if any(args.out.iterdir()):
            raise EdgeGateError("is not empty", where=str(args.out), next="name a new folder")
        dice = np.random.default_rng(0)
        sensor = Sensor(dice)
        for number in range(args.frames):
            picture = sensor.expose(compose(scene, config.camera.width, config.camera.height, dice))
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
            (args.out / f"{number:05}.jpg").write_bytes(data.tobytes())
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=str(args.out), next="check the folder and its permissions"
        ) from None
    print(f"{args.frames} frames in {args.out}; play them with camera.source: frames:{args.out}")
    return 0
