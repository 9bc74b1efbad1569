"""A GGUF file becomes a directory as transformers loads it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tunewright import durable
from tunewright.gguf.config import architecture, config, sizes
from tunewright.gguf.reading import Reader
from tunewright.gguf.tokenizer import tokenization
from tunewright.gguf.weights import Weights


def _unheard(*_: int) -> None:
    """Nobody listens."""


def convert(
    file: Path,
    directory: Path,
    progress: Callable[[int, int], None] = _unheard,
    room: Callable[[int], None] = _unheard,
) -> dict[str, Any]:
    """Write the model in `file` into `directory`, which is empty: config.json, tokenizer files and
    model.safetensors. Returns what is worth remembering of the file, its sha256 for one.

    progress: hears how many bytes of how many are converted. room: hears how many bytes the weights
    will have, before they are written, and may raise.

    Raises BadRequest with the tensor or the key that is missing, surplus, of another shape, not
    finite or of a kind that is not read. The directory then holds a part: give one of `durable`'s,
    which goes away with the error.
    """
    with Reader(file) as reader:
        before = file.stat()
        name = architecture(reader)
        size = sizes(reader, name)
        weights = Weights(reader, name, size)
        about = config(reader, name, size)
        words = tokenization(reader, size.vocabulary, about["max_position_embeddings"])
        dtype = weights.write(directory / "model.safetensors", progress, room)
        remembered = _remembered(reader, name)
        if _state(file.stat()) != _state(before):
            raise reader.refuse("it was changed while it was read")
    _write(directory / "config.json", about | {"dtype": dtype} | words.generation)
    _write(directory / "generation_config.json", words.generation)
    _write(directory / "tokenizer_config.json", words.settings)
    (directory / "tokenizer.json").write_bytes(words.tokenizer)
    if words.template is not None:
        (directory / "chat_template.jinja").write_text(words.template, "utf-8", newline="")
    return remembered


def _state(stat: Any) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def _remembered(reader: Reader, name: str) -> dict[str, Any]:
    kinds = Counter(stored.kind.name for stored in reader.tensors.values())
    said = {key: reader.metadata.get(f"general.{key}") for key in ("name", "license")}
    return {
        "file": reader.path.name,
        "bytes": reader.path.stat().st_size,
        "sha256": durable.sha256(reader.path),
        "architecture": name,
        "tensors": dict(sorted(kinds.items())),
        **{key: value for key, value in said.items() if isinstance(value, str)},
    }
