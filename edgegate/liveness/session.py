"""How the engines run their models."""

from __future__ import annotations

import onnxruntime


def session(data: bytes) -> onnxruntime.InferenceSession:
    """The model in these bytes, on one thread: they are so small that a second costs more than it gives. What is no
    model fails inside onnxruntime, with errors of its own."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
