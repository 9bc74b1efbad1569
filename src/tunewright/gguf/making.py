"""A model, or an adapter for one, as a file. The tensors are asked for one after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tunewright.gguf.describing import Config, architecture, described, factors, refuse, sizes
from tunewright.gguf.kinds import Kind
from tunewright.gguf.quantise import quantised
from tunewright.gguf.tensors import Pair, Sizes, order_in_gguf, pairs
from tunewright.gguf.writing import Float, Item, Tensor, write

Numbers = Callable[[str], np.ndarray]
"""float32 of a tensor, by transformers' name."""
FILE_TYPES: Final = {Kind.F16: 1, Kind.Q4_0: 2, Kind.Q8_0: 7}
_ENDS: Final = ("token_embd.weight", "output.weight")


@dataclass(frozen=True)
class Model:
    """config: of config.json. names: of all its tensors, as transformers has them."""

    config: Config
    names: frozenset[str]
    numbers: Numbers
    vocabulary: int  # rows of the embedding


def write_model(path: Path, model: Model, kind: Kind, keys: Mapping[str, Item]) -> None:
    """kind: of the matrices; vectors are float32. keys: of its tokenizer, template and the like.

    In q4_0 the embedding and the head are q8_0: all of a token's bits pass through them. A matrix
    whose rows are no whole blocks is float16. Raises BadRequest for a model that llama.cpp would
    compute otherwise, or a tensor that has no place in a file.
    """
    name = architecture(model.config)
    size = sizes(model.config, model.vocabulary)
    about = described(name, model.config, size)
    found = list(_found(model, name, size))
    tensors = [_tensor(model, size, pair, _kind(pair, size, kind)) for pair in found]
    if (scaled := factors(model.config, size)) is not None:
        rows = scaled.reshape(1, -1).view(np.uint8)
        tensors.insert(0, Tensor("rope_freqs.weight", Kind.F32, scaled.shape, lambda: rows))
    head: dict[str, Item] = {
        "general.architecture": name,
        "general.type": "model",
        "general.file_type": FILE_TYPES[kind],
        "general.quantization_version": 2,
    }
    write(path, {**head, **about, **keys}, tensors)


def _found(model: Model, name: str, size: Sizes) -> list[Pair]:
    known = list(pairs(name, size.layers))
    tied = model.config.get("tie_word_embeddings", True) or "lm_head.weight" not in model.names
    found = [p for p in known if p.ours in model.names and not (tied and p.ours.startswith("lm_"))]
    if missing := [p.ours for p in known if not p.optional and p.ours not in model.names]:
        raise refuse(f"it has no tensor {missing[0]}")
    if surplus := sorted(model.names - {p.ours for p in known}):
        raise refuse(f"GGUF has no place for its tensor {surplus[0]}")
    return found


def _kind(pair: Pair, size: Sizes, kind: Kind) -> Kind:
    if len(pair.axes) == 1:
        return Kind.F32
    if kind is Kind.Q4_0 and pair.theirs in _ENDS:
        kind = Kind.Q8_0
    return kind if size.shape(pair)[-1] % kind.block == 0 else Kind.F16


def _tensor(model: Model, size: Sizes, pair: Pair, kind: Kind) -> Tensor:
    def rows() -> np.ndarray:
        numbers = changed(model.numbers(pair.ours), pair, size)
        made = quantised(numbers.reshape(-1, numbers.shape[-1]), kind)
        if kind is Kind.F16 and not np.isfinite(made.view(np.float16)).all():
            raise refuse(f"its tensor {pair.ours} holds numbers that are too large for float16")
        return made

    return Tensor(pair.theirs, kind, size.shape(pair), rows)


def changed(numbers: np.ndarray, pair: Pair, size: Sizes) -> np.ndarray:
    """As the file has them. A shape that config.json does not give is refused."""
    if numbers.shape != size.shape(pair):
        raise refuse(f"its tensor {pair.ours} has the shape {list(numbers.shape)}")
    if pair.change == "norm":
        return numbers + np.float32(1)
    heads = {"q": size.heads, "k": size.kv_heads}.get(pair.change)
    return numbers if heads is None else numbers[order_in_gguf(len(numbers), heads)]


def write_adapter(
    path: Path,
    config: Config,
    vocabulary: int,
    adapter: Mapping[str, tuple[np.ndarray, np.ndarray]],
    alpha: float,
    keys: Mapping[str, Item],
) -> None:
    """adapter: by the path of its layer A [rank, in] and B [out, rank], whose scale is alpha /
    rank. Written in float32. Raises BadRequest as `write_model` does."""
    name = architecture(config)
    size = sizes(config, vocabulary)
    described(name, config, size)
    known = {pair.ours: pair for pair in pairs(name, size.layers)}
    tensors: list[Tensor] = []
    for path_of, (a, b) in adapter.items():
        pair = known.get(f"{path_of}.weight")
        if pair is None:
            raise refuse(f"GGUF has no place for an adapter of its layer {path_of}")
        heads = {"q": size.heads, "k": size.kv_heads}.get(pair.change)
        turned = b if heads is None else b[order_in_gguf(len(b), heads)]
        for half, numbers in (("lora_a", a), ("lora_b", turned)):
            rows = quantised(numbers, Kind.F32)
            tensors.append(
                Tensor(f"{pair.theirs}.{half}", Kind.F32, numbers.shape, lambda r=rows: r)
            )
    head: dict[str, Item] = {
        "general.architecture": name,
        "general.type": "adapter",
        "general.file_type": 0,
        "adapter.type": "lora",
        "adapter.lora.alpha": Float(alpha),
    }
    write(path, {**head, **keys}, tensors)


def adapter_of(
    tensors: Mapping[str, np.ndarray], config: Config, vocabulary: int
) -> dict[str, Any]:
    """What `write_adapter` wrote, read: by path A and B in transformers' order."""
    from tunewright.gguf.tensors import order_in_transformers

    name = architecture(config)
    size = sizes(config, vocabulary)
    found: dict[str, Any] = {}
    for pair in pairs(name, size.layers):
        if f"{pair.theirs}.lora_a" not in tensors:
            continue
        a, b = (tensors[f"{pair.theirs}.{half}"] for half in ("lora_a", "lora_b"))
        heads = {"q": size.heads, "k": size.kv_heads}.get(pair.change)
        turned = b if heads is None else b[order_in_transformers(len(b), heads)]
        found[pair.ours.removesuffix(".weight")] = (a, turned)
    return found
