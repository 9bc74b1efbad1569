"""The texts that scales are found on, and those that agreement is measured on: of other subjects.

`samples/calibration.txt`: blocks of sentences about one subject each. A sentence is a text, and so
are the first two, the first four and all of a block: short beside long, and neighbours to find.
"""

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, helper

from tunewright.embedding.onnx import OnnxEmbedder

_ROWS = 512  # of each activation, from all texts
_FIRST = (2, 4)


@cache
def _blocks() -> list[list[str]]:
    text = files("tunewright.samples").joinpath("calibration.txt").read_text("utf-8")
    return [block.splitlines() for block in text.strip().split("\n\n")]


def texts(*, calibrating: bool) -> list[str]:
    """Of every second block: those to calibrate on, or the others."""
    found: list[str] = []
    for block in _blocks()[0 if calibrating else 1 :: 2]:
        found += [*block, *(" ".join(block[:first]) for first in _FIRST), " ".join(block)]
    return found


def activations(
    model: ModelProto, names: list[str], embedder: OnnxEmbedder, inputs: list[list[int]]
) -> dict[str, NDArray[np.float32]]:
    """Rows [rows, k] of each of the activations `names` of `model`, for rows of ids as `embedder`
    gives them to its graph."""
    seen = ModelProto()
    seen.CopyFrom(model)
    for name in names:
        seen.graph.output.append(helper.make_tensor_value_info(name, 1, None))
    session = onnxruntime.InferenceSession(
        seen.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    each = -(-_ROWS // len(inputs))  # rows of a text
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for ids in inputs:
        given: Any = session.run(names, embedder.feed([ids]))
        for name, values in zip(names, given, strict=True):
            rows = values.reshape(-1, values.shape[-1])  # [time, k]
            found[name].append(rows[:: max(1, len(rows) // each)])
    return {name: np.concatenate(rows) for name, rows in found.items()}
