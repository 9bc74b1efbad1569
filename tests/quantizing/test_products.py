"""Products in int8: as plain numpy computes them, each row by itself, whatever form they have."""

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tunewright.quantizing.graphs import quantized
from tunewright.quantizing.products import products
from tunewright.quantizing.scales import Scales, best

DRAWN = np.random.default_rng(0)
WEIGHT = DRAWN.normal(size=(48, 32)).astype(np.float32)
BIAS = DRAWN.normal(size=32).astype(np.float32)
ROWS = DRAWN.normal(size=(5, 48)).astype(np.float32)


def model(*nodes, opset: int = 17, **tensors: np.ndarray) -> ModelProto:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (("x", 48), ("y", 32))
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(list(nodes), "one", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(made: ModelProto, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["y"], {"x": rows})[0]


def by_hand(rows: np.ndarray, weight: np.ndarray, zero: int) -> np.ndarray:
    """One number after the other: a scale for each row and each column."""
    found = np.empty((len(rows), weight.shape[1]))
    for i, row in enumerate(rows.astype(np.float64)):
        scale = max(max(row) / (255 - zero), min(row) / -zero)
        whole = np.clip(np.round(row / scale), -zero, 255 - zero)
        for j, column in enumerate(weight.T.astype(np.float64)):
            step = max(abs(column)) / 127
            found[i, j] = (whole @ np.round(column / step)) * scale * step
    return found


NODE = helper.make_node
FORMS = {
    "MatMul": (17, [NODE("MatMul", ["x", "w"], ["y"])], {"w": WEIGHT}, 0),
    "MatMul, opset 18": (18, [NODE("MatMul", ["x", "w"], ["y"])], {"w": WEIGHT}, 0),
    "transposed": (
        17,
        [NODE("Transpose", ["w"], ["t"], perm=[1, 0]), NODE("MatMul", ["x", "t"], ["y"])],
        {"w": np.ascontiguousarray(WEIGHT.T)},
        0,
    ),
    "Gemm": (
        17,
        [NODE("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        {"w": np.ascontiguousarray(WEIGHT.T), "b": BIAS},
        BIAS,
    ),
    "a constant": (
        17,
        [
            NODE("Constant", [], ["c"], value=numpy_helper.from_array(WEIGHT)),
            NODE("Identity", ["c"], ["w"]),
            NODE("MatMul", ["x", "w"], ["y"]),
        ],
        {},
        0,
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zero", [128, 32])
def test_a_product_is_what_plain_numbers_give(form: str, zero: int) -> None:
    opset, nodes, tensors, bias = FORMS[form]
    plain = model(*nodes, opset=opset, **tensors)
    found = products(plain.graph)
    assert len(found) == 1
    fast = quantized(plain, found, {"x": Scales(zero, None)}, 127)
    assert "MatMulIntegerToFloat" in {node.op_type for node in fast.graph.node}
    np.testing.assert_allclose(run(fast, ROWS), by_hand(ROWS, WEIGHT, zero) + bias, atol=2e-5)
    np.testing.assert_allclose(run(plain, ROWS), ROWS @ WEIGHT + bias, atol=1e-4)  # untouched


def test_a_row_does_not_feel_another() -> None:
    plain = model(NODE("MatMul", ["x", "w"], ["y"]), w=WEIGHT)
    fast = quantized(plain, products(plain.graph), {"x": Scales(128, None)}, 127)
    loud = np.vstack([ROWS, 1000 * ROWS[:1], np.zeros((1, 48), np.float32)])
    together = run(fast, loud)
    for row, expected in zip(loud, together, strict=True):
        np.testing.assert_array_equal(run(fast, row[None])[0], expected)
    np.testing.assert_array_equal(together[-1], 0)


def test_channels_that_stand_out_are_evened_out() -> None:
    loud = DRAWN.normal(size=(64, 48)).astype(np.float32)
    loud[:, :2] *= 60
    scales = best(loud, [WEIGHT], 127)
    plain = model(NODE("MatMul", ["x", "w"], ["y"]), w=WEIGHT)
    errors = [
        np.abs(run(quantized(plain, products(plain.graph), {"x": each}, 127), loud) - loud @ WEIGHT)
        for each in (scales, Scales(scales.zero, None))
    ]
    assert errors[0].mean() < 0.6 * errors[1].mean()
    assert best(ROWS, [WEIGHT], 127).zero == 128
    assert best(np.maximum(loud, -0.17), [WEIGHT], 127).zero <= 32  # as GELU gives
