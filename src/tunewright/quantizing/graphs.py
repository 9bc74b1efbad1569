"""An ONNX graph with its products in int8, by operators of ONNX Runtime.

    scale = max(max(x) / (255 - zero), min(x) / -zero)   of each row
    y     = (round(x / scale) + zero) @ weight           u8 by s8: those that VNNI multiplies
    y * scale * the weight's scales

u8 by s8 and not s8 by s8, for which ONNX Runtime has no kernel on x86 (1,024 x 384 x 1,536: 3.5 ms
against 41). MatMulNBits with 8 bits, which quantizes rows in blocks by itself, took 8 ms.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from tunewright.quantizing.products import Product
from tunewright.quantizing.scales import Scales, as_columns

_CONTRIB = "com.microsoft"
_OWN = ("", "ai.onnx")
_AXES_AS_INPUT = 18  # from this opset on, ReduceMax takes its axes so


class _Written:
    """Nodes and initializers that are put into a graph."""

    def __init__(self, graph: onnx.GraphProto, opset: int) -> None:
        self._graph = graph
        self._opset = opset
        self.before: dict[int, list[NodeProto]] = {}  # of a node's place, what stands in its stead

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, place: int, kind: str, inputs: Sequence[str], output: str) -> str:
        self.before.setdefault(place, []).append(helper.make_node(kind, inputs, [output]))
        return output

    def over_channels(self, place: int, kind: str, x: str, output: str) -> str:
        """A reduction over the last axis, which stays, with length 1."""
        if self._opset < _AXES_AS_INPUT:
            node = helper.make_node(kind, [x], [output], axes=[-1], keepdims=1)
        else:
            axes = self.constant(f"{output}.axes", np.array([-1]))
            node = helper.make_node(kind, [x, axes], [output], keepdims=1)
        self.before.setdefault(place, []).append(node)
        return output


def quantized(
    model: onnx.ModelProto,
    found: Sequence[Product],
    scales: Mapping[str, Scales],
    largest: int,
) -> onnx.ModelProto:
    """`model` with the products `found` in int8. scales: by input. largest: of a weight: 127, or
    63 where the processor adds two products in 16 bits (x86 without VNNI)."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    opset = next((each.version for each in made.opset_import if each.domain in _OWN), 1)
    written = _Written(made.graph, opset)
    rows: dict[str, tuple[str, str]] = {}
    for number, product in enumerate(found):
        if product.input not in rows:
            rows[product.input] = _rows(written, product, scales[product.input], f"row{number}")
        _product(written, product, rows[product.input], scales[product.input], largest, number)
    places = {product.place for product in found}
    nodes: list[NodeProto] = []
    for place, node in enumerate(made.graph.node):
        nodes += written.before.get(place, [])
        if place not in places:
            nodes.append(node)
    _replace(made.graph, nodes)
    if _CONTRIB not in {each.domain for each in made.opset_import}:
        made.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
    return made


def _rows(written: _Written, product: Product, scales: Scales, name: str) -> tuple[str, str]:
    """The names of the quantized rows, [..., k], and of their scales, [..., 1]."""
    place, x, zero = product.place, product.input, scales.zero
    if scales.smoothing is not None:
        inverse = written.constant(f"{name}.smooth", (1 / scales.smoothing).astype(np.float32))
        x = written.add(place, "Mul", [x, inverse], f"{name}.even")
    ends: list[str] = []
    for kind, factor in (("ReduceMax", 1 / (255 - zero)), ("ReduceMin", -1 / zero)):
        end = written.over_channels(place, kind, x, f"{name}.{kind}")
        by = written.constant(f"{name}.{kind}.by", np.float32(factor))
        ends.append(written.add(place, "Mul", [end, by], f"{name}.{kind}.scale"))
    least = written.constant(f"{name}.least", np.float32(1e-9))  # of a row of zeros
    scale = written.add(place, "Max", [*ends, least], f"{name}.scale")
    inverse = written.add(place, "Reciprocal", [scale], f"{name}.inverse")
    even = written.add(place, "Mul", [x, inverse], f"{name}.scaled")
    one = written.constant(f"{name}.one", np.float32(1))
    middle = written.constant(f"{name}.zero", np.uint8(zero))
    return written.add(place, "QuantizeLinear", [even, one, middle], f"{name}.u8"), scale


def _product(
    written: _Written,
    product: Product,
    row: tuple[str, str],
    scales: Scales,
    largest: int,
    number: int,
) -> None:
    name, weight = f"product{number}", product.weight
    if scales.smoothing is not None:
        weight = weight * scales.smoothing[:, None]  # [k, n]
    whole, columns = as_columns(weight, largest)
    inputs = [
        row[0],
        written.constant(f"{name}.s8", whole),
        written.constant(f"{name}.one", np.float32(1)),
        written.constant(f"{name}.columns", columns),
        written.constant(f"{name}.zero", np.uint8(scales.zero)),
        written.constant(f"{name}.zeros", np.zeros(columns.shape, np.int8)),
    ]
    bare = f"{name}.y"
    node = helper.make_node("MatMulIntegerToFloat", inputs, [bare], domain=_CONTRIB)
    written.before.setdefault(product.place, []).append(node)
    last = product.output if product.bias is None else f"{name}.scaled"
    written.add(product.place, "Mul", [bare, row[1]], last)
    if product.bias is not None:
        written.add(product.place, "Add", [last, product.bias], product.output)


def _replace(graph: onnx.GraphProto, nodes: Sequence[NodeProto]) -> None:
    """The graph's nodes, and what of its initializers they use."""
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in tensors]
    del graph.initializer[:]
    graph.initializer.extend(copies)
