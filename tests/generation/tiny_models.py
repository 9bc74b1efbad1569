"""Tiny models with random weights, large enough that attention decides the next token."""

from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel

from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Piece, Request
from tunewright.weights import lora
from tunewright.weights.base import load_base
from tunewright.weights.peft import load_adapter, save_adapter

VOCABULARY = 97
_SIZE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 400,
    "initializer_range": 0.35,
}
_GPT2 = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 400}

# Name of the configuration class, and what differs from _SIZE.
ARCHITECTURES = {
    "llama": ("LlamaConfig", _SIZE),
    "qwen3": ("Qwen3Config", {**_SIZE, "head_dim": 8}),
    "gpt2": ("GPT2Config", {**_GPT2, "initializer_range": 0.35}),
    "mistral": ("MistralConfig", {**_SIZE, "sliding_window": 4096}),
    "neox": ("GPTNeoXConfig", _SIZE),
    "phi": ("PhiConfig", _SIZE),
    "olmo2": ("Olmo2Config", _SIZE),
    "mixtral": ("MixtralConfig", {**_SIZE, "num_local_experts": 4, "sliding_window": None}),
    "opt": ("OPTConfig", {**_SIZE, "ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.35}),
    # None of these can share a batch: a window, several kinds of layers, a rotation that
    # depends on the longest row, convolutions.
    "mistral-window": ("MistralConfig", {**_SIZE, "sliding_window": 9}),
    "gemma2": ("Gemma2Config", {**_SIZE, "head_dim": 8, "sliding_window": 9}),
    "gemma3": ("Gemma3TextConfig", {**_SIZE, "head_dim": 8, "sliding_window": 9}),
    "llama-dynamic": (
        "LlamaConfig",
        {**_SIZE, "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
    ),
    "lfm2": ("Lfm2Config", {**_SIZE, "layer_types": ["conv", "full_attention"]}),
}
MERGING = [*ARCHITECTURES][:9]


def make_model(directory: Path, architecture: str = "llama", **changes: object) -> Path:
    name, fields = ARCHITECTURES[architecture]
    config: PretrainedConfig = getattr(transformers, name)(**{**fields, **changes})
    torch.manual_seed(7)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(directory)
    return directory


def make_adapter(directory: Path, base: Path, seed: int) -> Path:
    layers = lora.wrap(load_base(base))
    torch.manual_seed(seed)
    weights = {
        path: (torch.randn(4, layer.in_features), torch.randn(layer.out_features, 4) * 0.2)
        for path, layer in layers.items()
    }
    directory.mkdir()
    save_adapter(directory, lora.Adapter(weights=weights, alpha=4))
    return directory


class Models:
    """Makes each tiny model once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, Path] = {}

    def __call__(self, architecture: str = "llama", adapter: int | None = None) -> ModelSpec:
        base = self._once(architecture, lambda path: make_model(path, architecture))
        if adapter is None:
            return ModelSpec(architecture, str(base))
        name = f"{architecture}-{adapter}"
        directory = self._once(name, lambda path: make_adapter(path, base, adapter))
        return ModelSpec(name, str(base), str(directory))

    def _once(self, name: str, make: Callable[[Path], Path]) -> Path:
        if name not in self._made:
            self._made[name] = make(self._root / name)
        return self._made[name]

    def alone(self, spec: ModelSpec, prompt: list[int], count: int) -> list[int]:
        """What transformers' own `generate` makes of one prompt, greedily."""
        model: PreTrainedModel = load_base(Path(spec.base))
        if spec.adapter is not None:
            lora.add(model, 0, load_adapter(Path(spec.adapter)))
            lora.select(model, 0)
        ids = torch.tensor([prompt], device=model.device)
        model.generation_config.eos_token_id = None
        model.generation_config.pad_token_id = 0
        made = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count
        )
        return made[0, len(prompt) :].tolist()


def prompt_of(length: int, seed: int = 0) -> list[int]:
    numbers = torch.Generator().manual_seed(seed * 1000 + length)
    return torch.randint(0, VOCABULARY, (length,), generator=numbers).tolist()


def ids_of(pieces: list[Piece], id: int) -> list[int]:
    return [token for piece in pieces if piece.id == id for token in piece.ids]


def finish(generator: EmbeddedGenerator, *requests: Request) -> list[Piece]:
    """Submit, step to the end, and return every piece. No row may fail."""
    for request in requests:
        generator.submit(request)
    pieces: list[Piece] = []
    while generator.busy:
        pieces += generator.step()
    assert [piece.error for piece in pieces if piece.error] == []
    return pieces
