"""A base in memory, the adapters on it, and how it is called."""

import inspect
import logging
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt, NotFound
from tunewright.generation.beginnings import Beginnings
from tunewright.generation.generator import ModelSpec
from tunewright.generation.grammar import Grammars
from tunewright.generation.progress import PROGRESS
from tunewright.generation.states import expanded
from tunewright.generation.threads import Threads
from tunewright.weights import caching, lora
from tunewright.weights.base import load_base, threads
from tunewright.weights.peft import load_adapter

ADAPTERS = 64
_NO_LIMIT = 1 << 30
_PART = 256  # tokens that a layer reads in the time of one patience; the whole of some prompts
# Tokens of prompts that have threads of their own choice: from here on their time grows as they do.
# Shorter ones take what steps take. Prompts come seldom, so they are compared over a minute.
_PROMPT = 32
_READ_APART = 60.0
NO_BATCH = "the rows of %s do not share a batch, so each is computed alone: %s"

log = logging.getLogger(__name__)


class Resident:
    """One base and its adapters. `merges`: whether rows may share a batch and a chunked prefill;
    `unmergeable`: why not, where its configuration tells."""

    def __init__(self, directory: Path) -> None:
        """Raises NotFound for no such directory, Corrupt for what is no sound base."""
        self.directory = _existing(directory)
        with _its_own_fault():
            self.model: PreTrainedModel = load_base(directory, verify=_manifested(directory))
        config = self.model.config.get_text_config(decoder=True)
        self.context: int = getattr(config, "max_position_embeddings", None) or _NO_LIMIT
        most = threads(self.model)
        self.threads = Threads(most)
        self.reading = Threads(most, first=most, apart=_READ_APART)
        self.vocabulary = self.model.get_input_embeddings().get_parameter("weight").shape[0]
        self.beginnings = Beginnings()
        self.grammars = Grammars(directory, self.vocabulary)
        self._takes = inspect.signature(self.model.forward).parameters
        self.unmergeable = _unmergeable(self.model, self._takes, self.context)
        if self.unmergeable is not None:
            log.warning(NO_BATCH, directory.name, self.unmergeable)
        self.merges = self.unmergeable is None
        self._cache = caching.argument(self.model)
        for layer in _layers(self.model):
            layer.register_forward_hook(PROGRESS.mark)
        self._slots: dict[ModelSpec, int] = {}
        self._selected: list[int] | None = None

    @property
    def specs(self) -> list[ModelSpec]:
        """The models that are loaded, the least recently used first."""
        return list(self._slots)

    def slot(self, spec: ModelSpec, in_use: Sequence[int] = ()) -> int:
        """The slot of the adapter of `spec`, loaded if need be; `lora.NONE` for the base itself.

        Where ADAPTERS are loaded already the least recently used one goes, but none `in_use`.
        """
        slot = self._slots.pop(spec, None)
        if slot is None:
            slot = lora.NONE if spec.adapter is None else self._load(spec.adapter, in_use)
        self._slots[spec] = slot
        return slot

    def forget(self, spec: ModelSpec) -> int | None:
        """Drop an adapter; the slot that it had."""
        self.beginnings.forget(spec)
        slot = self._slots.pop(spec, None)
        if slot is not None and slot != lora.NONE:
            lora.remove(self.model, slot)
        return slot

    def _load(self, adapter: str, in_use: Sequence[int]) -> int:
        directory = _existing(Path(adapter))
        with _its_own_fault():
            loaded = load_adapter(directory, verify=_manifested(directory))
            lora.refuse_misfit(self.model, loaded)
        taken = {slot: spec for spec, slot in self._slots.items() if slot != lora.NONE}
        if len(taken) >= ADAPTERS:
            idle = [spec for slot, spec in taken.items() if slot not in in_use]
            if idle:
                self.forget(idle[0])
        slot = next(n for n in range(len(taken) + 1) if n not in self._slots.values())
        lora.add(self.model, slot, loaded, dtype=self.model.dtype)
        self._selected = None
        return slot

    def select(self, slots: Sequence[int]) -> None:
        """The adapter of each row of the next forward pass. A base without any stays unwrapped."""
        wanted = list(slots)
        if wanted == self._selected or (self._selected is None and not self._adapted):
            return
        lora.select(self.model, wanted)
        self._selected = wanted

    @property
    def _adapted(self) -> bool:
        return any(slot != lora.NONE for slot in self._slots.values())

    def forward(self, ids: Tensor, cache: Any, **given: Any) -> tuple[Tensor, Any]:
        """The logits for `ids` [rows, time], and the cache, which now holds them too.

        Arguments that the model does not know are left out; no cache: it makes its own.
        Only the logits of the last position are computed, where the model can, unless
        `logits_to_keep` says otherwise (0: of every position).
        """
        # What is the same for the tokens of a prompt may not be so for one of each row.
        prompt = ids.shape[1] > 1 and ids.numel() >= _PROMPT
        threads = self.reading if prompt else self.threads
        if torch.get_num_threads() != threads.count:
            torch.set_num_threads(threads.count)
        PROGRESS.begin(max(1.0, ids.numel() / _PART))
        given.setdefault("logits_to_keep", 1)
        known = {name: value for name, value in given.items() if name in self._takes}
        if self._cache is not None:
            began = time.perf_counter()
            answer = self.model(ids, use_cache=True, **{self._cache: cache}, **known)
            ended = time.perf_counter()
            if ids.device.type == "cpu":  # elsewhere it has only begun
                self._timed(ids, ended - began, ended)
            if (cache := getattr(answer, self._cache, None)) is not None:
                return answer.logits, cache
        raise BadRequest("This model keeps no cache that generation could go on from.")

    def _timed(self, ids: Tensor, seconds: float, now: float) -> None:
        """Where steps gain by all threads, prompts do, which compute more; where they do not,
        prompts begin with one too and then try: a machine may be busy, or a step too small."""
        before = self.threads.kept
        if ids.shape[1] == 1:
            self.threads.took(len(ids), seconds, now)
            if self.threads.kept != before:
                self.reading.follow(self.threads.kept)
        elif ids.numel() >= _PROMPT and (before == 1 or not self.threads.known(now, _READ_APART)):
            self.reading.took(1, seconds, now, work=ids.numel())

    def prefill(
        self, tokens: Sequence[int], slot: int, cache: Any, length: int, *, every: bool = False
    ) -> tuple[Tensor, Any]:
        """Feed one row `tokens` [time] after the `length` that `cache` (None: nothing yet) holds.

        Returns the logits [1, vocabulary] of the last one, or [tokens, vocabulary] of `every`
        one, and the cache.
        """
        if cache is None and self.merges:
            cache = DynamicCache()  # without the config: plain layers, even where a window is named
        self.select([slot])
        device = self.model.device
        logits, cache = self.forward(
            torch.tensor([tokens], device=device),  # [1, time]
            cache,
            position_ids=torch.arange(length, length + len(tokens), device=device).unsqueeze(0),
            logits_to_keep=0 if every else 1,
        )
        return logits[0] if every else logits[:, -1], cache

    def read(
        self,
        prompts: Sequence[Sequence[int]],
        slots: Sequence[int],
        *,
        every: bool = False,
        beginning: tuple[DynamicCache, int] | None = None,
    ) -> tuple[list[Tensor], DynamicCache]:
        """Feed whole prompts, a row each, shorter ones padded on the right; `merges` only.

        beginning: a row's cache and its length; all prompts go on from it and are what follows.
        Returns for each prompt the logits [1, vocabulary] of its last token, or [tokens,
        vocabulary] of `every` one; and the cache of all rows.
        """
        width, device = max(map(len, prompts)), self.model.device
        ids = [[*prompt, *[prompt[-1]] * (width - len(prompt))] for prompt in prompts]
        ends = sorted({len(prompt) - 1 for prompt in prompts})
        before, length = beginning or (None, 0)
        positions = torch.arange(length, length + width, device=device)
        self.select(slots)
        logits, cache = self.forward(
            torch.tensor(ids, device=device),  # [prompts, time]
            DynamicCache() if before is None else expanded(before, len(ids)),
            position_ids=positions.expand(len(ids), width),
            logits_to_keep=0 if every else torch.tensor(ends, device=device),
        )
        if not every and logits.shape[1] == len(ends):  # [prompts, ends, vocabulary]
            at = [ends.index(len(prompt) - 1) for prompt in prompts]
            return [row[n : n + 1] for row, n in zip(logits, at, strict=True)], cache
        firsts = [0 if every else len(prompt) - 1 for prompt in prompts]
        return [
            row[first : len(prompt)]
            for row, first, prompt in zip(logits, firsts, prompts, strict=True)
        ], cache


def _layers(model: PreTrainedModel) -> Sequence[nn.Module]:
    """The longest list of modules: what is run one after the other."""
    lists = [list(m) for m in model.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=len, default=[])


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        raise NotFound(f"There is no model in {directory}.")
    return directory


@contextmanager
def _its_own_fault() -> Iterator[None]:
    """What is wrong with a model that is served already is not wrong with the request for it."""
    try:
        yield
    except BadRequest as error:
        raise Corrupt(error.message) from error


def _manifested(directory: Path) -> bool:
    return (directory / durable.MANIFEST).is_file()


def _unmergeable(model: PreTrainedModel, takes: Container[str], context: int) -> str | None:
    """Why the cache is not plain keys and values by position, none hidden, each row's its own."""
    window = caching.reach(model)
    if "position_ids" not in takes:
        return "it takes no positions"
    if not caching.by_position(model):
        return "its rotation of positions or its layers do not allow it"
    if window is not None and window < context:
        return f"its window of {window} tokens is shorter than its context of {context}"
    return None
