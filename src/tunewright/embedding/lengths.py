"""How many tokens an embedding model reads at once, by its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright.errors import BadRequest
from tunewright.rendering.configuration import read_object

# As sentence-transformers has called the file; the first one that is there.
_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_NO_LIMIT = 10**9  # transformers writes model_max_length 1e30 for "none"
# The first position of a text is that after the padding token's id, so that many are lost.
_SHIFTED = {
    *("camembert", "data2vec-text", "longformer", "mpnet", "roberta", "roberta-prelayernorm"),
    *("xlm-roberta", "xlm-roberta-xl", "xmod"),
}
# Whose positions are a table: beyond its end there is none. Others turn or bend theirs.
_TABLES = _SHIFTED | {"albert", "bert", "deberta", "distilbert", "electra", "ernie", "mobilebert"}


def settings(home: Path) -> dict[str, Any]:
    """Of the transformer, as sentence-transformers writes them; empty where there are none. Raises
    BadRequest where it is one that does not embed."""
    file = next((home / name for name in _FILES if (home / name).is_file()), home / _FILES[0])
    found = read_object(file)
    task = found.get("transformer_task", "feature-extraction")
    if task != "feature-extraction":
        raise BadRequest(
            f"{file}: the task of this transformer is {task!r}, which gives no embeddings.",
            param="source",
            code="unsupported_model",
        )
    return found


def length(home: Path, settings: Mapping[str, Any]) -> int | None:
    """Most tokens of a text with the special ones around it; None where no file says."""
    config = read_object(home / "config.json")
    given = settings.get("max_seq_length")
    if given is None:
        given = _least(
            _number(home, read_object(home / "tokenizer_config.json"), "model_max_length"),
            positions(home, config),
        )
    else:
        given = _number(home, settings, "max_seq_length")
    table = positions(home, config) if config.get("model_type") in _TABLES else None
    return _least(given, table)


def positions(home: Path, config: Mapping[str, Any]) -> int | None:
    found = _number(home, config, "max_position_embeddings")
    if found is None or config.get("model_type") not in _SHIFTED:
        return found
    padding = config.get("pad_token_id")
    return found - (padding if type(padding) is int else 1) - 1


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _number(home: Path, values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    if value is None or value == -1:  # so XLNet says that there is no limit
        return None
    if type(value) not in (int, float) or not value >= 1:
        raise BadRequest(
            f"{home}: {key} is {str(value)[:40]!r}, which is not the length of a text. Write how "
            "many tokens the model can read.",
            param="source",
        )
    return None if value >= _NO_LIMIT else int(value)
