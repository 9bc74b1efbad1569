"""What the files of a Hugging Face model directory say, as far as rendering needs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tunewright.durable import read_json
from tunewright.errors import BadRequest, Corrupt

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
_DEFAULT_CONTEXT = 2048
_NO_LIMIT = 10**9  # transformers writes model_max_length 1e30 for "none"


def read_object(path: Path) -> dict[str, Any]:
    """Of a JSON file, empty where there is none. Raises Corrupt for anything else."""
    value = read_json(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise Corrupt(f"{path} must hold a JSON object.")
    return value


@dataclass(frozen=True)
class Configuration:
    """The JSON files, read; absent ones are empty."""

    directory: Path
    tokenizer: Mapping[str, Any]
    model: Mapping[str, Any]
    generation: Mapping[str, Any]

    @classmethod
    def read(cls, directory: Path) -> "Configuration":
        old, new = (
            read_object(directory / f"{name}.json")
            for name in ("special_tokens_map", "tokenizer_config")
        )
        model = read_object(directory / "config.json")
        inner = model.get("text_config")
        return cls(
            directory,
            tokenizer={**old, **new},
            model={**(inner if isinstance(inner, dict) else {}), **model},
            generation=read_object(directory / "generation_config.json"),
        )

    def special_tokens(self) -> dict[str, str]:
        """``bos_token``, ``eos_token`` and the like, as templates read them."""
        found = {key: value for key, value in self.tokenizer.items() if key.endswith("_token")}
        texts = {k: v.get("content") if isinstance(v, dict) else v for k, v in found.items()}
        return {key: text for key, text in texts.items() if isinstance(text, str)}

    def template(self) -> str | None:
        path = self.directory / "chat_template.jinja"
        if path.is_file():
            try:
                return path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise Corrupt(f"{path} is not UTF-8: {error.reason} at {error.start}.") from error
        # Processors, and tokenizers that were saved by some versions, keep it in a file of its own.
        apart = read_object(self.directory / "chat_template.json").get("chat_template")
        found = apart or self.tokenizer.get("chat_template")
        if isinstance(found, list):  # several, by name
            named = [entry for entry in found if isinstance(entry, dict)]
            found = next((e.get("template") for e in named if e.get("name") == "default"), None)
        return found if isinstance(found, str) else None

    def context(self) -> int:
        """The longest sequence in tokens; 2,048 where no file says."""
        limits = {key: self.model.get(key) for key in _CONTEXT_KEYS}
        limits["model_max_length"] = self.tokenizer.get("model_max_length")
        given = {key: limit for key, limit in limits.items() if limit is not None}
        for key, limit in given.items():
            if not isinstance(limit, int | float) or isinstance(limit, bool) or not limit >= 1:
                raise BadRequest(
                    f"{self.directory} gives {key} as {str(limit)[:40]!r}, which is not the length "
                    "of a text. Write how many tokens the model can read.",
                    param="model",
                )
        known = [int(limit) for limit in given.values() if limit < _NO_LIMIT]
        return min(known, default=_DEFAULT_CONTEXT)

    def stop_ids(self) -> list[int]:
        """Where generation ends, the most telling file first."""
        found = [source.get("eos_token_id") for source in (self.generation, self.model)]
        lists = [ids if isinstance(ids, list) else [ids] for ids in found if ids is not None]
        return [id for ids in lists for id in ids if type(id) is int]


def read_tokenizer(directory: Path) -> Tokenizer:
    path = directory / "tokenizer.json"
    if not path.is_file():
        raise BadRequest(f"{directory} has no tokenizer.json; a fast tokenizer is needed.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise BadRequest(f"{path} cannot be read: {error}") from error
    tokenizer.no_truncation()  # a saved setting would cut rows without a word
    tokenizer.no_padding()
    return tokenizer
