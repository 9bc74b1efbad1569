"""Write what `starter.mini` has trained as `builtin-mini`: int8 weights in an ONNX graph.

    python -m starter.mini_export .starter/mini.pt

Every weight matrix is int8 with a step for each output (for each token in the table of words),
and the activations are float32: they are never scaled by what else is in a batch. Tokens that
stand for nothing ([unused17]) leave the vocabulary, which saves 0.4 MB.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from starter.mini import read
from starter.teacher import Floats, check_teacher, installed
from torch import Tensor

from tunewright import durable

OUT = Path(__file__).parents[1] / "src/tunewright/builtin/mini"
HEAD = 32  # places of a head, as in the teacher
EPSILON = 1e-12
AROUND = ("[CLS]", "[SEP]")
CARD = "README.md"
UNUSED = re.compile(r"\[unused\d+\]")


class Graph:
    """Nodes and weights, each added by a call that gives the name of what comes out."""

    def __init__(self, *, exact: bool) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.exact = exact

    def add(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **said: Any) -> Any:
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **said))
        return names[0] if outputs == 1 else names

    def constant(self, values: NDArray[Any] | list) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def matrix(self, values: Floats) -> str:
        """A weight [inputs, outputs]: int8 with a step for each output, unless it is exact."""
        if self.exact:
            return self.constant(values)
        whole, steps = quantised(values.T)
        scale = self.constant(steps)
        return self.add("DequantizeLinear", self.constant(whole.T.copy()), scale, axis=1)

    def rows(self, table: Floats, ids: str) -> str:
        """Rows of a table [n, width] that stays int8 in memory."""
        if self.exact:
            return self.add("Gather", self.constant(table), ids)
        whole, steps = quantised(table)
        found = self.add("Gather", self.constant(whole), ids)
        scale = self.add("Gather", self.constant(steps[:, None]), ids)
        return self.add("Mul", self.add("Cast", found, to=TensorProto.FLOAT), scale)


def quantised(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8, and the step of each row."""
    steps = np.abs(rows).max(axis=1) / 127
    steps[steps == 0] = 1
    return np.rint(rows / steps[:, None]).astype(np.int8), steps.astype(np.float32)


Weights = Callable[[str], Floats]


def attention(graph: Graph, x: str, mask: str, weights: Weights) -> str:
    """ONNX Runtime's own node: one product for queries, keys and values, and no transposing."""
    three = weights("qkv.weight")
    inner = len(three) // 3
    found = graph.add(
        "Attention",
        x,
        graph.matrix(three.T),
        graph.constant(weights("qkv.bias")),
        mask,
        domain="com.microsoft",
        num_heads=inner // HEAD,
        qkv_hidden_sizes=[inner] * 3,
    )
    return dense(graph, found, weights, "last")


def dense(graph: Graph, x: str, weights: Weights, name: str) -> str:
    product = graph.add("MatMul", x, graph.matrix(weights(f"{name}.weight").T))
    return graph.add("Add", product, graph.constant(weights(f"{name}.bias")))


def normalised(graph: Graph, x: str, weights: Weights) -> str:
    scale, shift = (graph.constant(weights(f"norm.{name}")) for name in ("weight", "bias"))
    return graph.add("LayerNormalization", x, scale, shift, epsilon=EPSILON)


def embedding(graph: Graph, weights: Weights) -> str:
    length = graph.add("Shape", "ids", start=1, end=2)
    zero, one = graph.constant(np.array(0)), graph.constant(np.array(1))
    count = graph.add("Squeeze", length)
    places = graph.add("Range", zero, count, one)
    words = graph.rows(weights("words.weight"), "ids")
    added = graph.add("Add", words, graph.rows(weights("positions.weight"), places))
    return normalised(graph, added, weights)


def mean(graph: Graph, x: str) -> str:
    """Of the hidden states [n, t, d] where the mask is 1: their sum, for only its direction counts.

    A product with the mask, [n, 1, t] x [n, t, d], writes nothing of the size of x.
    """
    mask = graph.add("Cast", "mask", to=TensorProto.FLOAT)
    row = graph.add("Unsqueeze", mask, graph.constant(np.array([1])))
    return graph.add("Squeeze", graph.add("MatMul", row, x), graph.constant(np.array([1])))


def graph_of(state: dict[str, Floats], names: Iterable[str], *, exact: bool) -> Graph:
    graph = Graph(exact=exact)
    x = embedding(graph, state.__getitem__)
    for place, name in enumerate(names):

        def part(key: str, place: int = place) -> Floats:
            inner = "" if key.startswith("norm") else "part."
            return state[f"parts.{place}.{inner}{key}"]

        if name[0] == "a":
            found = attention(graph, x, "mask", part)
        else:
            inner = graph.add("Gelu", dense(graph, x, part, "up"))
            found = dense(graph, inner, part, "last")
        x = normalised(graph, graph.add("Add", x, found), part)
    turned = graph.add("MatMul", mean(graph, x), graph.matrix(state["turn"]))
    graph.nodes[-1].output[0] = "vectors"
    assert turned
    return graph


def model(
    state: dict[str, Floats], names: Iterable[str], *, exact: bool = False
) -> onnx.ModelProto:
    """`exact`: weights in float32, for measuring."""
    graph = graph_of(state, names, exact=exact)
    size, width = state["words.weight"].shape
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "t"]),
        helper.make_tensor_value_info("mask", TensorProto.INT32, ["n", "t"]),
    ]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", width])]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "embedder", inputs, outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)],
        ir_version=9,
        producer_name="tunewright",
    )
    about = {"dimensions": width, "vocabulary": size, "positions": len(state["positions.weight"])}
    helper.set_model_props(made, {name: str(value) for name, value in about.items()})
    return made


def pruned(tokenizer: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """The tokenizer without the tokens that stand for nothing, and the old ids of the others."""
    words = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    kept = [(word, place) for word, place in words if not UNUSED.fullmatch(word)]
    places = {word: place for place, (word, _) in enumerate(kept)}
    added = [each | {"id": places[each["content"]]} for each in tokenizer["added_tokens"]]
    made = tokenizer | {
        "added_tokens": added,
        "model": tokenizer["model"] | {"vocab": places},
        "truncation": None,
        "padding": None,
        "post_processor": None,  # what goes around a text is in config.json
    }
    return made, [place for _, place in kept]


def arrays(state: dict[str, Tensor]) -> dict[str, Floats]:
    return {name: tensor.detach().float().numpy() for name, tensor in state.items()}


def write(
    out: Path, made: onnx.ModelProto, tokenizer: dict[str, Any], about: dict[str, Any]
) -> None:
    """A directory that `open_embedder` opens; it must not exist."""
    said = {each.key: int(each.value) for each in made.metadata_props}
    with durable.directory(out, about) as filling:
        onnx.save(made, filling / "model.onnx")
        text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
        (filling / "tokenizer.json").write_text(text, "utf-8")
        config = {
            "engine": "transformer",
            "dimensions": said["dimensions"],
            "context": said["positions"] - len(AROUND),
            "prefixes": True,
            "around": list(AROUND),
        }
        durable.write_json(filling / "config.json", config)


def export(checkpoint: Path, teacher: Path, out: Path) -> None:
    """Replace the model in `out`; its card, if there is one, stays."""
    found = read(checkpoint)
    tokenizer, kept = pruned(json.loads((teacher / "tokenizer.json").read_text("utf-8")))
    state = arrays(found["student"])
    state["words.weight"] = state["words.weight"][kept]
    about = {
        "name": "builtin-mini",
        "licence": "Apache-2.0",
        "sizes": found["settings"]["sizes"],
        "tokens_seen": found["tokens"],
        "steps": found["steps"],
        "seconds": round(found["seconds"]),
        "seed": found["settings"]["seed"],
        "spearman_while_training": [[n, round(s), round(v, 4)] for n, s, v in found["scores"]],
    }
    made = durable.temporary(out)
    write(made, model(state, found["settings"]["sizes"]), tokenizer, about)
    card = out / CARD
    if card.is_file():
        (made / CARD).write_bytes(card.read_bytes())
        durable.write_manifest(made, about)
    durable.remove(out)
    made.rename(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint", type=Path, nargs="?", default=Path(".starter/mini.pt"))
    parser.add_argument("--teacher", type=Path, default=installed(), help="its directory")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    check_teacher(args)
    export(args.checkpoint, args.teacher, args.out)


if __name__ == "__main__":
    main()
