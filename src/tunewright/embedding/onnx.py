"""A transformer of sentence-transformers' files, computed by ONNX Runtime on the CPU.

The graph takes ``input_ids`` and ``attention_mask`` [rows, time], and ``token_type_ids`` and
``position_ids`` where it wants them. Of what it gives the vectors of tokens, [rows, time, h], are
taken, and pooled here in float32; a graph that gives one vector a text only is taken at its word.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tunewright.embedding.graph_files import GRAPHS, graph_of
from tunewright.embedding.piped import OfPipeline, padded
from tunewright.embedding.pooling import after, pooled
from tunewright.embedding.sessions import open_session
from tunewright.errors import Corrupt

_TOKENS = ("last_hidden_state", "token_embeddings", "hidden_states")  # outputs, the surest first
_TEXTS = ("sentence_embedding", "sentence_embeddings", "pooler_output")
_INPUTS = {"input_ids", "attention_mask", "token_type_ids", "position_ids"}
_KINDS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
# Reviews of 100 tokens, one thread, batches of 256, 512 and 1,024: 3,430, 3,110 and 3,030 tokens a
# CPU second in float32, 5,940, 5,800 and 5,060 in int8.
_BATCH_TOKENS = 256
_SHORT = 512  # tokens of a context: what such a text takes may stay taken
_SAME = 0.9999  # cosine similarity


class OnnxEmbedder(OfPipeline):
    batch_tokens = _BATCH_TOKENS

    def __init__(
        self, directory: Path, threads: int | None = None, graph: str | None = None
    ) -> None:
        """graph: the one that the manifest names, or the makers'. Raises Corrupt or BadRequest for
        files that are broken or do not fit together."""
        super().__init__(directory)
        name = graph or self.chosen.graph or graph_of(directory)
        if name is None:
            raise Corrupt(f"{directory} has no ONNX graph ({' or '.join(GRAPHS)}).")
        self._file = directory / name
        short = (self.declared.context or _SHORT + 1) <= _SHORT
        self._session = open_session(self._file, threads, arena=short)
        self._inputs = _inputs(self._file, self._session)
        self._output, self._whole = _output(self._file, self._session)
        self.declare(self._tried())
        if self.chosen.precision == "fast":
            self._computes_as_when_added()

    def computed(self, rows: list[list[int]], skips: list[int]) -> NDArray[np.float32]:
        ids, mask = padded(rows, self.padding)  # [rows, time]
        feed = self._feed(ids, mask)
        found: Any = self._session.run([self._output], feed)[0]
        if self._whole:
            return after(found.astype(np.float32), self.pipeline)
        return pooled(found, mask, self.pipeline, skips)

    def _computes_as_when_added(self) -> None:
        """Processors without VNNI add products of int8 in 16 bits, which may be too few: a model
        that was made on another machine is then another."""
        if probe := self.chosen.found.get("fast", {}).get("probe"):
            [vector] = self.embed_tokens([probe["ids"]])
            if not vector @ np.array(probe["vector"], np.float32) >= _SAME:
                raise Corrupt(
                    f"{self._file} gives other vectors on this processor than on the one that it "
                    "was made on. Delete the model and add it again here: it gets another "
                    "fingerprint, and what was embedded with it is embedded again."
                )

    def feed(self, rows: list[list[int]]) -> dict[str, NDArray[Any]]:
        """What the graph is given for rows of ids, special tokens in place."""
        return self._feed(*padded(rows, self.padding))

    def _feed(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        given = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
            "position_ids": np.broadcast_to(np.arange(ids.shape[1]), ids.shape),
        }  # [rows, time] each
        return {name: given[name].astype(kind) for name, kind in self._inputs.items()}

    def _tried(self) -> int:
        """The length of its vectors, by the last id of the vocabulary: where the table of the graph
        is shorter, some text would fail later."""
        row = [*self.first, self.vocabulary - 1, *self.last]
        try:
            found = self.computed([row], [0])
        except Exception as error:  # its own exceptions have no common root
            reason = str(error).strip().splitlines()
            raise Corrupt(
                f"{self._file} cannot be run with the ids of tokenizer.json, up to "
                f"{self.vocabulary - 1:,}: {reason[0][:200] if reason else type(error).__name__}. "
                "Use the graph and the tokenizer of the same model."
            ) from error
        if not np.isfinite(found).all():
            raise Corrupt(f"{self._file} gives vectors that are not numbers (NaN or infinite).")
        return found.shape[1]


def _inputs(file: Path, session: onnxruntime.InferenceSession) -> Mapping[str, type]:
    found = {each.name: _KINDS.get(each.type) for each in session.get_inputs()}
    wrong = [name for name, kind in found.items() if name not in _INPUTS or kind is None]
    if wrong or "input_ids" not in found:
        named = wrong[0] if wrong else "no input_ids"
        raise Corrupt(
            f"{file} takes {named}, which an embedding model is not given. Export it without a "
            "cache and with the inputs input_ids and attention_mask."
        )
    return {name: kind for name, kind in found.items() if kind is not None}


def _output(file: Path, session: onnxruntime.InferenceSession) -> tuple[str, bool]:
    """The output to take, and whether it is one vector a text already."""
    ranks = {each.name: len(each.shape or ()) for each in session.get_outputs()}
    for known, rank in ((_TOKENS, 3), (tuple(ranks), 3), (_TEXTS, 2)):
        for name in known:
            if ranks.get(name) == rank:
                return name, rank == 2
    raise Corrupt(
        f"{file} gives {', '.join(ranks)}: none of it is the vectors of tokens or of texts."
    )
