"""`edgegate verify A B`: do two photographs show the same person?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edgegate.adapters import load_faces
from edgegate.cli.common import config_option, configuration_or_defaults, json_option
from edgegate.faces.photos import compare
from edgegate.images import read_image


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify", help="compare two photographs", description="Exit code 0: match; 1: no match; 2: cannot tell."
    )
    config_option(parser)
    parser.add_argument("first", type=Path, metavar="A", help="a photograph")
    parser.add_argument("second", type=Path, metavar="B", help="another")
    parser.add_argument("--pack", help="instead of the configuration's faces.pack: auto, a name or a directory")
    json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    photos = [(str(path), read_image(path)) for path in (args.first, args.second)]
    faces = load_faces(config, args.pack)
    score = compare(photos[0], photos[1], faces.engine)
    target = config.faces.target_fmr
    threshold = faces.per_pair.threshold(target)
    match = score >= threshold
    if args.json:
        print(
            json.dumps(
                {
                    "score": round(score, 4),
                    "threshold": threshold,
                    "target_fmr": target,
                    "match": match,
                    "pack": faces.pack.name,
                }
            )
        )
    else:
        verdict = "match" if match else "no match"
        print(f"{verdict}: score {score:.3f}, threshold {threshold:.3f} (FMR {target:g}, pack {faces.pack.name})")
    return 0 if match else 1
