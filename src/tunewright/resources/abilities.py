"""What a base can do, from its files and from what was tried: the report that ends its adding."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tunewright import machine
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.modules import Pipeline
from tunewright.probing import Examined
from tunewright.records.embeddings import MAX_TOKENS_EACH
from tunewright.records.models import BaseFacts, FastFacts, ModelKind
from tunewright.rendering.configuration import Configuration, read_object

_PROCESS = 0.4e9  # bytes of a process with torch and transformers, before any weights
_WIDE_AT_ONCE = 1 << 30  # as in `weights.exact`
_RANK = 16  # of the adapter of a job of default size: 8 to 64, by its file
_ADAPTED = 16  # bytes for each number of an adapter: itself, its gradient, AdamW's two moments
_TOKENS = 512  # of a micro-batch, as training plans them on a processor
_HEAD = 256  # supervised tokens whose logits are there at once, in float32, with their gradients


def facts(directory: Path, kind: ModelKind, examined: Examined, compute_dtype: str) -> BaseFacts:
    """`source` is left to who knows it. compute_dtype: as it is set."""
    measured = examined.measured
    parameters = count_parameters(directory)
    computed = measured.dtype if measured else compute_dtype
    wide = machine.computes_wide(computed)
    each = 4 if wide else 2  # bytes of a weight
    configuration = Configuration.read(directory)
    estimate = serving_bytes(configuration, parameters, each)
    serve = measured.peak_bytes if measured else estimate
    return BaseFacts(
        kind=kind,
        source="",
        context=configuration.context(),
        parameters=parameters,
        no_tools=examined.no_tools,
        measured=measured is not None,
        no_shared_prefixes=measured.shares if measured else None,
        memory_to_serve=serve,
        memory_to_train=training_bytes(configuration, parameters, each),
        tokens_per_second=measured.tokens_per_second if measured else None,
        dtype=measured.dtype if measured else None,
        threads=measured.threads if measured else None,
        notes=[note for note in examined.notes if not _of_tools(note, examined.no_tools)],
    )


def embedder_facts(directory: Path, chosen: Chosen | None) -> BaseFacts:
    """Of an embedding model, before it is opened: `declared_facts` has the rest. chosen: how one in
    the files of sentence-transformers is run; None: its config.json names its engine."""
    pipeline = Pipeline.read(directory) if chosen else None
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    weights = pipeline.transformer if pipeline else directory
    return BaseFacts(
        kind="embedding",
        source="",
        licence=pipeline.licence if pipeline else None,
        context=MAX_TOKENS_EACH,
        parameters=count_parameters(weights),
        pooling=" + ".join(pipeline.pooling.modes) if pipeline else None,
        engine=chosen.engine if chosen else str(read_object(directory / "config.json")["engine"]),
        agreement=chosen.found.get("cosine") if chosen else None,
        precision=chosen.precision if chosen else None,
        fast=_fast_facts(chosen),
        no_tools=None,
        measured=False,
        memory_to_serve=size,
        memory_to_train=None,
        notes=list(_embedder_notes(chosen)),
    )


def _fast_facts(chosen: Chosen | None) -> FastFacts | None:
    measured = chosen.found.get("fast") if chosen else None
    known = FastFacts.model_fields
    return FastFacts(**{name: measured[name] for name in known}) if measured else None


def _embedder_notes(chosen: Chosen | None) -> Iterator[str]:
    if chosen and chosen.found.get("tokens") is False:
        yield (
            "transformers makes other tokens of some texts than its tokenizer.json does, so its "
            "vectors may differ from those that its makers publish. Write the file anew: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )


def declared_facts(declared: Mapping[str, Any]) -> dict[str, Any]:
    """What an opened embedding model declares, as fields of its `BaseFacts`."""
    sizes = list(declared.get("sizes") or ()) if declared.get("prefixes") else None
    return {
        "dimensions": declared["dimensions"],
        "context": declared["context"] or MAX_TOKENS_EACH,
        "matryoshka": sizes,
        "prompts": declared.get("prompts") or {},
        "default_prompt": declared.get("default_prompt"),
        "long_inputs": declared.get("long_inputs", "average"),
    }


def _of_tools(note: str, reason: str | None) -> bool:
    """Whether `note` says again what `no_tools` says."""
    return reason is not None and note.startswith(reason.partition(":")[0])


def count_parameters(directory: Path) -> int:
    """Numbers in its weights, each once: a head that is tied to the embedding may be stored too."""
    tied = Configuration.read(directory).model.get("tie_word_embeddings") is True
    found = 0
    for file in sorted(directory.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if not (tied and name == "lm_head.weight"):
                    found += math.prod(tensors.get_slice(name).get_shape())
    return found


def serving_bytes(configuration: Configuration, parameters: int, each: int) -> int:
    """About the peak of a process that serves the base alone, each weight of so many bytes. It is
    reached when the base is checked in float32: all of a small one, else a module in its turn."""
    widths = (configuration.model.get(key) for key in ("vocab_size", "hidden_size"))
    embedding = math.prod(width for width in widths if isinstance(width, int))
    whole = 4 * parameters
    wide = 0 if each == 4 else whole if whole <= _WIDE_AT_ONCE else 4 * embedding
    return round(_PROCESS + each * parameters + wide)


def training_bytes(configuration: Configuration, parameters: int, each: int) -> int | None:
    """About what a LoRA job of default size takes at its peak, where the configuration tells the
    base's widths. each: bytes of a weight."""
    sizes = [configuration.model.get(k) for k in ("num_hidden_layers", "hidden_size", "vocab_size")]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    layers, hidden, vocabulary = (int(size or 0) for size in sizes)
    inner = configuration.model.get("intermediate_size")
    inner = inner if isinstance(inner, int) else 4 * hidden
    adapter = _RANK * layers * (8 * hidden + 3 * (hidden + inner)) * _ADAPTED
    activations = _TOKENS * layers * (16 * hidden + 6 * inner) * each
    head = _HEAD * vocabulary * 4 * 3
    return round(_PROCESS + each * parameters + adapter + activations + head)
