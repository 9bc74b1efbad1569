"""One embedding model in memory: ids in batches of like length in, unit vectors out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tunewright import durable
from tunewright.embedding import pooling as after_pooling
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.modules import Pipeline
from tunewright.embedding.remote import CPU_TOKENS, GPU_TOKENS
from tunewright.embedding.vectors import unit
from tunewright.encoders import backbone, precision
from tunewright.encoders.pooling import pooled
from tunewright.errors import BadRequest, Corrupt, NotFound, Unavailable
from tunewright.generation.progress import Progress
from tunewright.machine import trim
from tunewright.weights import base
from tunewright.weights.memory import out_of_memory

_PART = 256  # tokens that a layer reads in the time of one patience

log = logging.getLogger(__name__)


class Encoder:
    """`directory` as sentence-transformers computes it, on `device` (None: a GPU where there is
    one). One thread uses it."""

    def __init__(
        self,
        directory: Path,
        progress: Progress,
        device: torch.device | None = None,
    ) -> None:
        """Raises NotFound for no such directory, BadRequest for a model that is not supported,
        Corrupt for broken files, MemoryError."""
        if not directory.is_dir():
            raise NotFound(f"There is no model in {directory}.")
        if (directory / durable.MANIFEST).is_file():
            durable.verify(directory)
        self._directory, self._progress = directory, progress
        self._pipeline = Pipeline.read(directory)
        self._device = device or base.device()
        chosen = Chosen.read(directory)
        fast = chosen is not None and chosen.precision == "fast"
        self._model = precision.load(self._pipeline, self._device, narrow_cpu=fast)
        self._threads = base.threads(self._model)
        self.dtype = self._model.dtype
        self.vocabulary = backbone.vocabulary(self._model)
        limits = (self._pipeline.length, backbone.positions(self._model))
        self._most = min((limit for limit in limits if limit), default=None)
        for module in self._model.modules():
            if isinstance(module, torch.nn.ModuleList):
                for layer in module:
                    layer.register_forward_hook(progress.mark)

    def batches(self, inputs: Sequence[Sequence[int]]) -> list[list[int]]:
        """The places of `inputs` in batches of like length, the longest last. Raises BadRequest."""
        for ids in inputs:
            if min(ids) < 0 or max(ids) >= self.vocabulary:
                raise BadRequest(
                    f"A token id is outside 0 to {self.vocabulary - 1}, which this model has.",
                    param="input",
                )
            if self._most and len(ids) > self._most:
                raise BadRequest(
                    f"An input has {len(ids)} tokens with the special ones; this model reads "
                    f"{self._most} at once.",
                    param="input",
                )
        return _batches(inputs, CPU_TOKENS if self._device.type == "cpu" else GPU_TOKENS)

    def encode(
        self, inputs: Sequence[Sequence[int]], skips: Sequence[int] = (), *, alone: bool = True
    ) -> NDArray[np.float32]:
        """Unit vectors [inputs, d] of one batch. Where memory is short, of its halves.

        Raises Unavailable where there is not enough for a single input, Corrupt where its vector
        is no number.
        """
        try:
            rows = self._encoded(inputs, skips, alone)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            rows = None
        if rows is None:  # outside the handler, whose traceback keeps what was computed
            return self._halved(inputs, skips, alone)
        found = unit(after_pooling.after(rows, self._pipeline))
        if not np.isfinite(found).all():
            raise Corrupt(f"{self._directory.name} gives vectors that are no numbers.")
        return found

    def _halved(
        self, inputs: Sequence[Sequence[int]], skips: Sequence[int], alone: bool
    ) -> NDArray[np.float32]:
        give_back(self._device)
        if len(inputs) == 1:
            raise Unavailable(
                f"There is not enough memory for an input of {len(inputs[0])} tokens with "
                f"{self._directory.name}."
            )
        log.warning("memory is short: a batch of %d inputs is computed in halves", len(inputs))
        middle = len(inputs) // 2
        halves = [
            self.encode(inputs[part], skips[part], alone=alone)
            for part in (slice(middle), slice(middle, None))
        ]
        return np.concatenate(halves)

    @torch.inference_mode()
    def _encoded(
        self, inputs: Sequence[Sequence[int]], skips: Sequence[int], alone: bool
    ) -> NDArray[np.float32]:
        """[inputs, h x modes], before what comes after pooling."""
        # Beside a stream of 135M parameters on two cores, one thread made a token take 1.5 times as
        # long, two 3.3 times; the embeddings themselves took 1.6 and 1.3 times as long.
        threads = self._threads if alone else max(1, self._threads // 2)
        if self._device.type == "cpu" and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        ids, mask = backbone.padded(self._model, inputs)  # [inputs, time]
        self._progress.begin(max(1.0, ids.numel() / _PART))
        hidden = backbone.hidden_states(self._model, ids, mask)  # [inputs, time, h]
        return pooled(hidden, mask, self._pipeline.pooling, skips).cpu().numpy()


def _batches(inputs: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for place in sorted(range(len(inputs)), key=lambda place: len(inputs[place])):
        if batches and (len(batches[-1]) + 1) * len(inputs[place]) <= most:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def give_back(device: torch.device) -> None:
    """Memory that is free, to the system and to the GPU's other users."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trim()
