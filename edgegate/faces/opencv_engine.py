"""YuNet through OpenCV and an ONNX recogniser of aligned crops (SFace, MobileFaceNet) through onnxruntime, on the CPU.

Sources: OpenCV's `modules/objdetect/src/face_detect.cpp` (columns, padding to multiples of 32, thresholds) and
`face_recognize.cpp` (SFace takes the same five points as ArcFace, RGB, 0..255); the README of OpenCV Zoo's YuNet
(finds faces of 10 to 300 pixels).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import onnxruntime

from edgegate.errors import EdgeGateError
from edgegate.faces.align import norm_crop
from edgegate.faces.comparison import NO_NUMBERS, usable
from edgegate.faces.exposure import relit
from edgegate.faces.manifest import MANIFEST, Input
from edgegate.faces.pack import Pack
from edgegate.memory import Wiped
from edgegate.model import Image, Vector
from edgegate.ports import Face

DETECT_PX = 640
"""Longest side given to the detector. Filling pictures of 640 pixels, faces were all found; of 960, two in three:
the detector was never shown larger ones. Of a picture of 1280, the narrowest face that is compared is 30 wide there."""
MIN_PX = 16
"""A picture whose shorter side is less at that size holds no face."""
MIN_SCORE = 0.8
"""Between its authors' 0.6 and 0.9. On 392 photographs of LFW the face scored 0.876 or more; 0.9 lost seven. Shrunk to
30 pixels, darkened to a quarter, in motion, or blurred by four pixels, all of 131 passed. A landscape painted behind
a portrait scored 0.75."""
NMS_OVERLAP = 0.3
"""Of two boxes that share more of their area, the weaker goes; its authors' figure."""
TOP_K = 500
"""Candidates kept for that; its authors keep 5,000, for crowds."""

HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
STRIDES = (8, 16, 32)


class OpencvEngine:
    """Port `FaceEngine`. The files are verified as they are read: what runs is what was hashed."""

    metric = "cosine"

    def __init__(self, pack: Pack, threads: int = 0) -> None:
        manifest = pack.manifest.recogniser
        self.dimensions = manifest.dimensions
        self._where = str(pack.recogniser)
        if manifest.input is None:
            raise EdgeGateError(
                "recogniser.input is missing", where=str(pack.folder / MANIFEST), next="see models/README.md"
            )
        self._input = manifest.input
        with _in_one_line(pack, pack.detector.name):
            self._detector = _yunet(pack.read(pack.detector.name))
            self._size = (0, 0)
            self.detect(np.zeros((MIN_PX, MIN_PX, 3), np.uint8))
        with _in_one_line(pack, pack.recogniser.name):
            self._session = _session(pack.read(pack.recogniser.name), threads)
            self._name = _only_input(self._session, self._input.size)
            self._embed(np.full((self._input.size, self._input.size, 3), 127, np.uint8))

    def detect(self, image: Image) -> list[Face]:
        scale = min(1.0, DETECT_PX / max(image.shape[:2]))
        if min(image.shape[:2]) * scale < MIN_PX:
            return []
        if scale == 1.0:
            return self._detect(image, scale)
        with Wiped() as wiped:
            small = wiped(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
            return self._detect(np.asarray(small, np.uint8), scale)

    def embed(self, image: Image, face: Face) -> Vector:
        """Raises EdgeGateError when the model gives no numbers, or zeros only."""
        if face.points is None:
            raise ValueError("a face without points cannot be aligned")
        with Wiped() as wiped:
            return self._embed(wiped(relit(wiped(norm_crop(image, face.points, self._input.size)))))

    def _detect(self, image: Image, scale: float) -> list[Face]:
        height, width = image.shape[:2]
        if self._size != (width, height):
            self._detector.setInputSize((width, height))
            self._size = (width, height)
        _, rows = self._detector.detect(image)
        faces = [_face(row, scale) for row in (rows if rows is not None else ())]
        return sorted(faces, key=lambda face: -face.width)

    def _embed(self, crop: Image) -> Vector:
        with Wiped() as wiped:
            blob = wiped(_blob(crop, self._input))
            raw = wiped(np.asarray(self._session.run(None, {self._name: blob})[0], np.float32))
            if raw.shape != (1, self.dimensions):
                shape = "x".join(map(str, raw.shape))
                raise self._unusable(f"gives {shape} numbers, its manifest says 1x{self.dimensions}")
            if not usable(raw):
                raise self._unusable(NO_NUMBERS)
            return np.asarray(raw[0] / np.linalg.norm(raw), np.float32)

    def _unusable(self, what: str) -> EdgeGateError:
        return EdgeGateError(what, where=self._where, next="correct pack.yaml, or choose another pack")


class _Unfit(Exception):
    """A model that is another than its manifest says; the text is ours."""


@contextmanager
def _in_one_line(pack: Pack, file: str) -> Iterator[None]:
    try:
        yield
    except EdgeGateError:
        raise
    except Exception as error:
        # Graphs of another kind fail in OpenCV and onnxruntime with errors of each, over several lines.
        library = f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"
        what = str(error) if isinstance(error, _Unfit) else f"cannot be loaded ({library})"
        raise EdgeGateError(
            what, where=str(pack.folder / file), next="correct pack.yaml, import the pack again, or choose another"
        ) from None


def _yunet(data: bytes) -> cv2.FaceDetectorYN:
    # OpenCV reads the outputs by pointer, in C++: their names and widths are looked at before it does.
    found = {output.name: output.shape[-1] for output in _session(data, 1).get_outputs()}
    if found != {f"{head}_{stride}": width for head, width in HEADS.items() for stride in STRIDES}:
        raise _Unfit("is no YuNet: it gives other outputs")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns of a target that nobody asked for
    try:
        # From memory: what was hashed is what runs, whatever happens to the file, and whatever its name.
        model, config = np.frombuffer(data, np.uint8), np.empty(0, np.uint8)
        return cv2.FaceDetectorYN.create("onnx", model, config, (MIN_PX, MIN_PX), MIN_SCORE, NMS_OVERLAP, TOP_K)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _session(data: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    # Idle threads would burn the other cores while they wait: twice the CPU time, and not faster on a busy board.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _only_input(session: onnxruntime.InferenceSession, size: int) -> str:
    """The name of the recogniser's input, which takes pictures of that size; a free dimension has a name, or None."""
    inputs: list[Any] = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        raise _Unfit("is no recogniser: it takes no single picture")
    for found, expected in zip(inputs[0].shape, (1, 3, size, size), strict=True):
        if isinstance(found, int) and found != expected:
            shape = "x".join(str(side) for side in inputs[0].shape)
            raise _Unfit(f"takes {shape}, its manifest says 1x3x{size}x{size}")
    return str(inputs[0].name)


def _blob(crop: Image, form: Input) -> Vector:
    """(1, 3, size, size) float32, as the model was taught to see pictures."""
    side, mean = form.size, form.mean
    blob = cv2.dnn.blobFromImage(crop, 1.0 / form.std, (side, side), (mean, mean, mean), swapRB=form.colour == "rgb")
    return np.asarray(blob, np.float32)


def _face(row: Vector, scale: float) -> Face:
    """OpenCV's columns: box, then right eye, left eye, nose, right and left mouth corner *of the person*, score."""
    x, y, width, height = (float(value) / scale for value in row[:4])
    return Face((x, y, width, height), float(row[14]), np.asarray(row[4:14].reshape(5, 2) / scale, np.float32))
