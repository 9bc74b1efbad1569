"""The fast graph is made, compared with the exact one, and timed beside it."""

from pathlib import Path
from typing import Any

import onnx

from tunewright.embedding.graph_files import outside
from tunewright.embedding.onnx import OnnxEmbedder
from tunewright.quantizing.agreeing import Vectors, agreement, speeds, vectors
from tunewright.quantizing.graphs import quantized
from tunewright.quantizing.products import Product, products
from tunewright.quantizing.samples import activations, texts
from tunewright.quantizing.scales import best

_MOST = 2_000_000_000  # bytes of a graph: one that is larger cannot be one file
# 63: where the processor adds two products in 16 bits, which 127 overflows.
_LARGEST = (127, 63)
_GOOD = 0.99  # mean cosine, below which the next of these is tried
_CONTEXT = 256  # tokens of a text, at most


def made(directory: Path, graph: str, fast: str) -> dict[str, Any]:
    """Write `fast`; what was measured of it, or the `reason` why it cannot be made."""
    if outside(directory / graph) or (directory / graph).stat().st_size > _MOST:
        return {"reason": "its graph is larger than 2 GB, and is not one file"}
    model = onnx.load(directory / graph)
    found = products(model.graph)
    if not found:
        return {"reason": "its graph has no products of float32 numbers with weights"}
    exact = OnnxEmbedder(directory, 1, graph)
    inputs = _cut(exact, texts(calibrating=True))
    held_out = _cut(exact, texts(calibrating=False))
    expected = vectors(exact, held_out)
    for largest in _LARGEST:
        write(model, found, exact, inputs, directory / fast, largest)
        quick = OnnxEmbedder(directory, 1, fast)
        got, alone = vectors(quick, held_out), vectors(quick, held_out, alone=True)
        agreed = agreement(expected, got, alone)
        if agreed["cosine_mean"] >= _GOOD or largest == _LARGEST[-1]:
            return {
                **agreed,
                **_speed(exact, quick, held_out),
                "probe": _probe(held_out, got),
                "largest": largest,
                "products": len(found),
                "texts": len(held_out),
            }
    raise AssertionError("one of them is the last")


def _speed(exact: OnnxEmbedder, fast: OnnxEmbedder, inputs: list[list[int]]) -> dict[str, float]:
    slow, quick = speeds([exact, fast], inputs)
    return {"times_as_fast": quick / slow, "tokens_per_cpu_second": quick}


def _probe(inputs: list[list[int]], found: Vectors) -> dict[str, Any]:
    """The longest of the texts and its vector, which opening the model compares."""
    place = max(range(len(inputs)), key=lambda place: len(inputs[place]))
    return {"ids": inputs[place], "vector": found[place].tolist()}


def _cut(embedder: OnnxEmbedder, sentences: list[str]) -> list[list[int]]:
    most = min(embedder.declared.context or _CONTEXT, _CONTEXT)
    return [ids[:most] for ids in embedder.tokenize(sentences)]


def write(
    model: onnx.ModelProto,
    found: list[Product],
    exact: OnnxEmbedder,
    inputs: list[list[int]],
    file: Path,
    largest: int,
) -> None:
    """The fast form of `model`, whose products are `found`, in `file`; its scales are the best for
    `inputs`, which are rows of ids as `exact` tokenizes texts."""
    weights: dict[str, list[Any]] = {}
    for product in found:
        weights.setdefault(product.input, []).append(product.weight)
    rows = [[*exact.first, *ids, *exact.last] for ids in inputs]
    samples = activations(model, list(weights), exact, rows)
    scales = {name: best(samples[name], each, largest) for name, each in weights.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(quantized(model, found, scales, largest).SerializeToString())
