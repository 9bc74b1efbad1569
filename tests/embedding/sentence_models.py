"""Directories as sentence-transformers writes them, tiny, made without it and without torch."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tunewright import builtin

PACKAGE = "sentence_transformers.models."
MEAN = {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True}


def write(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def modules(directory: Path, *named: str, package: str = PACKAGE) -> None:
    """modules.json with these: ``Pooling`` in ``1_Pooling``, and so on; the first at the top."""
    entries = [
        {"idx": i, "name": str(i), "path": f"{i}_{name}" if i else "", "type": package + name}
        for i, name in enumerate(named)
    ]
    write(directory / "modules.json", entries)


def settings(directory: Path, pooling: dict[str, Any] | None = None, **config: Any) -> Path:
    """The JSON files of a model of width 8 that takes the mean, and is of length 1."""
    modules(directory, "Transformer", "Pooling", "Normalize")
    write(directory / "config.json", {"model_type": "bert", "hidden_size": 8, **config})
    write(directory / "1_Pooling" / "config.json", MEAN if pooling is None else pooling)
    return directory


def dense(folder: Path, weight: np.ndarray, bias: np.ndarray | None = None, **config: Any) -> None:
    """A Dense of `weight` [out, in]."""
    outer, inner = weight.shape
    about = {"in_features": inner, "out_features": outer, "bias": bias is not None}
    write(folder / "config.json", about | config)
    tensors = {"linear.weight": weight.astype(np.float32)}
    if bias is not None:
        tensors["linear.bias"] = bias.astype(np.float32)
    save_file(tensors, folder / "model.safetensors")


WORDS = (
    *["the", "cat", "dog", "sat", "on", "mat", "a", "bank", "raised", "rates", "query", "passage"],
    *[":", ",", ".", "one", "two", "word"],
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def tokenizer(directory: Path, *, lower: bool = True) -> Tokenizer:
    """Whole words, with [CLS] and [SEP] around them, and truncation and padding baked in, as many
    published files have them."""
    ids = {word: id for id, word in enumerate((*SPECIAL, *WORDS))}
    made = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if lower:
        made.normalizer = normalizers.Lowercase()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.add_special_tokens(list(SPECIAL))
    made.enable_truncation(5)
    made.enable_padding(length=5)
    made.save(str(directory / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


def table(width: int = 8, rows: int = len(SPECIAL) + len(WORDS), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def graph(file: Path, vectors: np.ndarray, *, beside: str | None = None) -> None:
    """A transformer that gives each token its vector of `vectors`, as a model of its makers' may
    be: no torch is needed. beside: where it says that its weights lie."""
    weights = numpy_helper.from_array(vectors, "table")
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])]
    shape = ["rows", "time"]
    made = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, "h"])],
        [weights],
    )
    if beside is not None:
        weights = made.initializer[0]
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", beside
    file.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file.write_bytes(model.SerializeToString())


def whole(directory: Path, **config: Any) -> Path:
    """A model that can be added: a graph, tokenizer and settings, 20 tokens of context."""
    rows = len(SPECIAL) + len(WORDS)
    settings(directory, **{"vocab_size": rows, "max_position_embeddings": 22, **config})
    tokenizer(directory)
    graph(directory / "onnx" / "model.onnx", table())
    return directory


def static(directory: Path, **tensors: np.ndarray) -> Path:
    """A table as sentence-transformers writes it, or with these tensors of model2vec's."""
    directory.mkdir(parents=True, exist_ok=True)
    modules(directory, "StaticEmbedding", "Normalize")
    tokenizer(directory)
    save_file(tensors or {"embedding.weight": table()}, directory / "model.safetensors")
    return directory


def encoder(directory: Path, width: int = 128, inner: int = 1024, seed: int = 0) -> Path:
    """A transformer of one layer with random weights, and the tokenizer of `builtin-mini`: texts
    differ by their words, and a token's vector by the text that it stands in."""
    settings(directory, {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True})
    write(directory / "config.json", {"model_type": "bert", "max_position_embeddings": 256})
    shutil.copyfile(builtin.MINI / "tokenizer.json", directory / "tokenizer.json")
    rows = 1 + max(Tokenizer.from_file(str(directory / "tokenizer.json")).get_vocab().values())
    drawn = np.random.default_rng(seed)
    sizes = {"q": width, "k": width, "v": width, "o": width, "up": inner}
    weights = {name: drawn.normal(size=(width, n)) / width**0.5 for name, n in sizes.items()}
    weights |= {"down": drawn.normal(size=(inner, width)) / inner**0.5}
    weights |= {"table": drawn.normal(size=(rows, width)), "ones": np.ones(width)}
    weights["ones"][:2] = 8  # channels that stand out, as real models have them
    file = directory / "onnx" / "model.onnx"
    file.parent.mkdir()
    file.write_bytes(_layer(weights).SerializeToString())
    return directory


def _layer(weights: dict[str, np.ndarray]) -> ModelProto:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x0"]),
        helper.make_node("LayerNormalization", ["x0", "ones"], ["x"]),
        *(helper.make_node("MatMul", ["x", name], [f"{name}_"]) for name in ("q", "k", "v")),
        helper.make_node("Transpose", ["k_"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q_", "kt"], ["scores"]),
        helper.make_node("Mul", ["scores", "small"], ["scaled"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["mask", "one"], ["absent"]),
        helper.make_node("Mul", ["absent", "large"], ["penalty"]),
        helper.make_node("Unsqueeze", ["penalty", "axis"], ["penalties"]),
        helper.make_node("Add", ["scaled", "penalties"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "v_"], ["seen"]),
        helper.make_node("MatMul", ["seen", "o"], ["told"]),
        helper.make_node("Add", ["told", "x"], ["y0"]),
        helper.make_node("LayerNormalization", ["y0", "ones"], ["y"]),
        helper.make_node("MatMul", ["y", "up"], ["u"]),
        helper.make_node("Relu", ["u"], ["r"]),
        helper.make_node("MatMul", ["r", "down"], ["d"]),
        helper.make_node("Add", ["d", "y"], ["last_hidden_state"]),
    ]
    constants = {"one": np.ones(()), "small": np.array(0.05), "large": np.array(1e4)}
    tensors = [
        numpy_helper.from_array(value.astype(np.float32), name)
        for name, value in (weights | constants).items()
    ]
    tensors.append(numpy_helper.from_array(np.array([1]), "axis"))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "time"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info(
        "last_hidden_state", TensorProto.FLOAT, ["rows", "time", "h"]
    )
    made = helper.make_graph(nodes, "layer", inputs, [output], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
