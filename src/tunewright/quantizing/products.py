"""The products of an ONNX graph with weights: which they are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Product:
    """``output = input @ weight + bias``. input: a name, [..., k]; weight: [k, n]; bias: a name or
    None. place: of the node in the graph."""

    place: int
    input: str
    weight: Floats
    output: str
    bias: str | None = None


def products(graph: onnx.GraphProto) -> list[Product]:
    """The products of float32 activations with float32 weights, in the order of the graph."""
    constants = _Constants(graph)
    found: list[Product] = []
    for place, node in enumerate(graph.node):
        if node.op_type not in ("MatMul", "Gemm") or node.domain not in ("", "ai.onnx"):
            continue
        weight = constants.get(node.input[1])
        if weight is None or weight.ndim != 2 or weight.dtype != np.float32:
            continue
        bias = None
        if node.op_type == "Gemm":
            said: dict[str, Any] = {
                a.name: onnx.helper.get_attribute_value(a) for a in node.attribute
            }
            if said.get("transA") or said.get("alpha", 1.0) != 1 or said.get("beta", 1.0) != 1:
                continue
            weight = weight.T if said.get("transB") else weight
            bias = node.input[2] if len(node.input) > 2 else None
        found.append(Product(place, node.input[0], weight, node.output[0], bias))
    return found


class _Constants:
    """What a graph knows beforehand: initializers, constants, and those passed on or transposed."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes = {name: node for node in graph.node for name in node.output}

    def get(self, name: str) -> Any:
        if name in self._tensors:
            return numpy_helper.to_array(self._tensors[name])
        node = self._nodes.get(name)
        if node is None or node.op_type not in ("Constant", "Identity", "Transpose"):
            return None
        if node.op_type == "Constant":
            tensors = [each.t for each in node.attribute if each.name == "value"]
            return numpy_helper.to_array(tensors[0]) if tensors else None
        inner = self.get(node.input[0])
        return inner.T if inner is not None and node.op_type == "Transpose" else inner
