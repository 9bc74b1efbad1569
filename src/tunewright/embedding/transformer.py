"""Small transformers by ONNX Runtime.

A directory holds `model.onnx`, `tokenizer.json` and `config.json`. The graph takes `ids` (int64)
and `mask` (int32, 1 for a token, 0 for padding), both [rows, time], and gives `vectors` (float32
[rows, d], of any length); the special tokens around a text (`config.json`: `around`) are added
here. The graph's metadata says how many `positions` and what `vocabulary` it was made for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tunewright import durable
from tunewright.embedding.embedder import Declared
from tunewright.embedding.sessions import open_session
from tunewright.embedding.texts import OfTokenizer
from tunewright.embedding.vectors import unit
from tunewright.errors import Corrupt


class TransformerEmbedder(OfTokenizer):
    def __init__(self, directory: Path, threads: int | None = None) -> None:
        """Raises Corrupt for files that are broken or do not fit together."""
        config = durable.read_json(directory / "config.json")
        super().__init__(directory / "tokenizer.json", Declared.read(config))
        self._around = _around(config, self._tokenizer)
        self._session = open_session(directory / "model.onnx", threads)
        self._fits(directory)

    def _fits(self, directory: Path) -> None:
        """Raises Corrupt where the graph was made for other sizes than config.json declares."""
        made_for: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        expected = {"dimensions": self.dimensions, "vocabulary": self.vocabulary}
        for name, value in expected.items():
            if made_for.get(name) != str(value):
                found = made_for.get(name)
                raise Corrupt(f"{directory}: `{name}` of model.onnx is {found}, not {value}.")
        most = int(made_for.get("positions", 0)) - len(self._around)
        if not 1 <= (self._declared.context or 0) <= most:
            raise Corrupt(f"{directory}: `context` of config.json is not between 1 and {most}.")

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        first, last = self._around
        longest = max(map(len, batch), default=0) + 2
        ids = np.zeros((len(batch), longest), np.int64)  # [rows, time]
        mask = np.zeros((len(batch), longest), np.int32)  # [rows, time]
        for row, each in enumerate(batch):
            ids[row, : len(each) + 2] = (first, *each, last)
            mask[row, : len(each) + 2] = 1
        if not batch:
            return np.zeros((0, self.dimensions), np.float32)
        found: Any = self._session.run(["vectors"], {"ids": ids, "mask": mask})
        return unit(found[0])  # [rows, d]


def _around(config: dict[str, Any], tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids of the special tokens before and after a text."""
    match config.get("around"):
        case [str() as first, str() as last]:
            ids = tokenizer.token_to_id(first), tokenizer.token_to_id(last)
        case other:
            raise Corrupt(f"config.json: `around` is {other!r}, not the two tokens around a text.")
    if ids[0] is None or ids[1] is None:
        raise Corrupt(f"config.json: tokenizer.json does not know {first!r} or {last!r}.")
    return ids[0], ids[1]
