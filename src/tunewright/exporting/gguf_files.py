"""A model as a GGUF file, alone or for Ollama, and the model that the file is when it is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedModel

from tunewright import durable
from tunewright.errors import JobFailed
from tunewright.exporting import ollama
from tunewright.exporting.recipe import Recipe
from tunewright.gguf import making
from tunewright.gguf.config import architecture, sizes
from tunewright.gguf.convert import convert
from tunewright.gguf.dequantise import dequantised
from tunewright.gguf.describing import refuse
from tunewright.gguf.kinds import Kind
from tunewright.gguf.reading import Reader
from tunewright.gguf.weights import Weights
from tunewright.gguf.words import words
from tunewright.gguf.writing import Item
from tunewright.rendering import Renderer
from tunewright.rendering.configuration import Configuration, read_tokenizer
from tunewright.training.saving import stored_dtype
from tunewright.weights.base import load_base, refuse_nonfinite
from tunewright.weights.lora import Adapter, add, select
from tunewright.weights.merging import merge
from tunewright.weights.peft import load_adapter

MODEL, ADAPTER, MODELFILE = "model.gguf", "adapter.gguf", "Modelfile"
KINDS = {"f16": Kind.F16, "q8_0": Kind.Q8_0, "q4_0": Kind.Q4_0}
_TEXTS = (
    "It's 1234567 o'clock, isn't it?  I'LL say: 3.14159e-10 (tab\there)\r\n\r\n  two lines below.",
    "Größe, naïve, Ελληνικά, русский, 汉字和漢字, ひらがな, 한국어, العربية, हिन्दी, ไทย, e\u0301 é",
    "👩‍👩‍👧 🇺🇦 \u00a0\u3000 def f(x):\n\treturn x**2  # snake_case CamelCase https://a.b/c?d=e&f",
)
"""Where ways to cut a text differ: digits, contractions, scripts, accents, spaces, signs."""


@dataclass(frozen=True)
class Words:
    """The tokenizer's side of a model, and whether a text begins with its first special token."""

    config: Configuration
    tokenizer: Tokenizer
    renderer: Renderer
    bos: str | None

    @classmethod
    def read(cls, recipe: Recipe) -> "Words":
        renderer = Renderer.load(recipe.weights, chat=recipe.kind == "chat")
        renderer = renderer.using(moves_system=recipe.moves_system).rendered_as(recipe.rendering)
        config, tokenizer = Configuration.read(recipe.weights), read_tokenizer(recipe.weights)
        first = config.special_tokens().get("bos_token")
        begins = bool(config.tokenizer.get("add_bos_token")) or (
            first is not None and _frame(tokenizer)[0] == [first]
        )
        if recipe.to == "ollama" and renderer.is_chat:  # it puts one before the template's text
            said = renderer.prompt_text([{"role": "user", "content": "One"}])
            begins = begins and first is not None and said.startswith(first)
        return cls(config, tokenizer, renderer, first if begins else None)


def _frame(tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """The special tokens that it puts before and behind a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).tokens
    whole = tokenizer.encode("a").tokens
    at = next((n for n in range(len(whole)) if whole[n : n + len(bare)] == bare), 0)
    return whole[:at], whole[at + len(bare) :]


def write_gguf(recipe: Recipe) -> None:
    if recipe.only_adapter:
        _write_adapter(recipe)
        return
    model = load_base(recipe.weights, dtype=torch.float32)
    if recipe.adapter is not None:
        merge(model, load_adapter(recipe.adapter, verify=True))
    refuse_nonfinite(model, "the merged model")
    _write_model(recipe, model, recipe.directory / MODEL, Words.read(recipe))


def write_ollama(recipe: Recipe) -> None:
    said = Words.read(recipe)
    stops = [said.tokenizer.id_to_token(id) for id in sorted(said.renderer.stop_ids)]
    file = ollama.modelfile(
        said.renderer, MODEL, list(filter(None, stops)), recipe.licence, said.bos
    )
    (recipe.directory / MODELFILE).write_text(file, "utf-8", newline="")
    write_gguf(recipe)


def _write_model(recipe: Recipe, model: PreTrainedModel, path: Path, said: Words) -> None:
    tensors = model.state_dict()
    about = making.Model(
        config=said.config.model,
        names=frozenset(tensors),
        numbers=lambda name: _numbers(tensors[name]),
        vocabulary=tensors["model.embed_tokens.weight"].shape[0]
        if "model.embed_tokens.weight" in tensors
        else 0,
    )
    assert recipe.dtype is not None
    keys = {**_named(recipe), **_words(said, about.vocabulary)}
    making.write_model(path, about, KINDS[recipe.dtype], keys)


def _numbers(weight: Tensor) -> np.ndarray:
    return weight.detach().to("cpu", torch.float32).contiguous().numpy()


def _named(recipe: Recipe) -> dict[str, Item]:
    named: dict[str, Item] = {"general.name": recipe.name}
    return named | ({"general.license": recipe.licence} if recipe.licence else {})


def _words(said: Words, rows: int) -> dict[str, Item]:
    file = durable.read_json(said.config.directory / "tokenizer.json")
    _, ends = _frame(said.tokenizer)
    found = words(
        file,
        said.config.special_tokens(),
        rows,
        adds_bos=said.bos is not None,
        adds_eos=bool(ends),
        end_of_turn=said.renderer.end_id if said.renderer.is_chat else None,
    )
    template = said.config.template() if said.renderer.is_chat else None
    return found | ({"tokenizer.chat_template": template} if template else {})


def read_gguf(recipe: Recipe) -> PreTrainedModel:
    """Raises JobFailed where the file's tokenizer is another one."""
    if recipe.only_adapter:
        return _read_adapter(recipe)
    with _converted(recipe.directory / MODEL) as directory:
        _refuse_other_words(recipe, directory)
        return _exact(recipe, recipe.directory / MODEL, directory)


def read_base(recipe: Recipe) -> PreTrainedModel:
    """The base, written in the same way and read."""
    with durable.scratch(recipe.directory / "base") as folder:
        model = load_base(recipe.start, dtype=torch.float32)
        _write_model(recipe, model, folder / MODEL, Words.read(recipe))
        del model
        with _converted(folder / MODEL) as directory:
            return _exact(recipe, folder / MODEL, directory)


def _exact(recipe: Recipe, file: Path, directory: Path) -> PreTrainedModel:
    """The model of `file`, which `directory` was converted from. There what is quantised is rounded
    to bfloat16 as well, which would hide in the proof what rounding to 8 bits does."""
    if recipe.dtype == "f16":
        return load_base(directory, dtype=stored_dtype(directory))
    model = load_base(directory, dtype=torch.float32)
    with Reader(file) as reader, torch.no_grad():
        name = architecture(reader)
        for ours, numbers in Weights(reader, name, sizes(reader, name)).numbers():
            model.get_parameter(ours).copy_(torch.from_numpy(numbers))
    return model


@contextmanager
def _converted(file: Path) -> Iterator[Path]:
    with durable.scratch(file.parent / "read") as directory:
        convert(file, directory)
        yield directory


def _refuse_other_words(recipe: Recipe, directory: Path) -> None:
    ours, theirs = read_tokenizer(recipe.weights), read_tokenizer(directory)
    rows = [row.prompt + row.answer for row in recipe.rows]
    texts = [*_TEXTS, *(ours.decode(ids, skip_special_tokens=False) for ids in rows)]
    for text in texts:
        one, other = (each.encode(text, add_special_tokens=False).ids for each in (ours, theirs))
        if one != other:
            raise JobFailed(
                "The tokenizer of this model cannot be written as GGUF: read back, it makes other "
                f"tokens of a text ({_around(one, other)}). Export it with 'to': 'merged'.",
                code="not_expressible",
            )


def _around(one: list[int], other: list[int]) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{other[at : at + 4]} where the model has {one[at : at + 4]}"


def _write_adapter(recipe: Recipe) -> None:
    assert recipe.adapter is not None
    adapter = load_adapter(recipe.adapter, verify=True)
    # llama.cpp scales by alpha / rank, whatever our scale is: the rest goes into B.
    alpha = adapter.alpha
    pairs = {
        path: (_numbers(a), _numbers(b) * np.float32(adapter.scale(path) * a.shape[0] / alpha))
        for path, (a, b) in adapter.weights.items()
    }
    config = Configuration.read(recipe.weights).model
    making.write_adapter(
        recipe.directory / ADAPTER, config, _vocabulary(config), pairs, alpha, _named(recipe)
    )


def _vocabulary(config: Any) -> int:
    if not isinstance(config.get("vocab_size"), int):
        raise refuse("its config.json has no vocab_size")
    return config["vocab_size"]


def _read_adapter(recipe: Recipe) -> PreTrainedModel:
    config = Configuration.read(recipe.weights).model
    with Reader(recipe.directory / ADAPTER) as reader:
        tensors = {
            name: dequantised(reader.rows(name), stored.kind).reshape(stored.shape)
            for name, stored in reader.tensors.items()
        }
        alpha = reader.need("adapter.lora.alpha", float)
    found = making.adapter_of(tensors, config, _vocabulary(config))
    weights = {path: (torch.tensor(a), torch.tensor(b)) for path, (a, b) in found.items()}
    model = load_base(recipe.weights, dtype=stored_dtype(recipe.weights))
    add(model, 0, Adapter(weights, alpha))
    select(model, 0)
    return model
