"""A pack of two small files, for the tests that download it."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgegate.errors import EdgeGateError
from edgegate.faces.offers import Offer
from edgegate.faces.pull import pull
from tests.web_server import Web

DETECTOR = os.urandom(70_001)
RECOGNISER = os.urandom(1_200_007)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    """An archive as the InsightFace project makes them: compressed, with more in it than a pack needs."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def offer(archive: bytes | None = None, *, distributable: bool = True) -> Offer:
    """A pack of two small files, to be had one by one or in an archive."""
    files = {"detector.onnx": DETECTOR, "recogniser.onnx": RECOGNISER}
    parts = {name: {"file": name, "bytes": len(data), "sha256": sha256(data)} for name, data in files.items()}
    one = [{"url": f"https://server.example/pack/{name}", **part} for name, part in parts.items()]
    manifest: dict[str, Any] = {
        "name": "small",
        "engine": "opencv",
        "detector": parts["detector.onnx"],
        "recogniser": parts["recogniser.onnx"] | {"dimensions": 128, "input": {"size": 112}},
        "thresholds": {},
        "licence": {"detector": "D", "recogniser": "R", "distributable": distributable},
    }
    if archive is not None:
        url = "https://server.example/pack/small.zip"
        one = [{"url": url, "bytes": len(archive), "sha256": sha256(archive), "archive": True}]
    else:
        one = [{key: value for key, value in part.items() if key != "file"} for part in one]
    raw = {"manifest": manifest, "terms": "https://server.example/licence", "downloads": one}
    return Offer.model_validate(raw)


def left(folder: Path) -> set[str]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(models_dir: Path, web: Web, says: str, pack: Offer | None = None, **options: Any) -> str:
    """What pulling says; it must be one line with what to do next."""
    with pytest.raises(EdgeGateError) as caught:
        given: dict[str, Any] = {"accepted": True, "base": web.address} | options
        pull(pack or offer(), models_dir, **given)
    line = str(caught.value)
    assert says in line
    assert "; " in line
    assert line.isprintable()
    return line
