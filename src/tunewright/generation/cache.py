"""The key-value caches of the rows of a batch.

`SlotCache` keeps the keys and values of all rows in one tensor [slots, columns, heads, head size]
a layer; a row has a slot, its token at position p column p. A row joins or leaves by copying one
slot, never the others, and a token is written in place, where transformers' own cache copies
everything for every token. `OwnCaches` keeps a cache for each row, for architectures whose cache
is more than keys and values by position.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from tunewright.generation.resident import Resident
from tunewright.generation.states import plain

_FIRST_COLUMNS = 128


class Caches(Protocol):
    """Rows are numbered from 0; the last one takes the number of a row that leaves."""

    def join(self, cache: Any, length: int) -> None:
        """Add a row whose `length` tokens are in `cache`, as `Resident.prefill` left it: keys and
        values [1, heads, time, head size] a layer."""
        ...

    def leave(self, row: int) -> None: ...

    def forward(self, resident: Resident, tokens: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Feed every row its next token (`tokens` [rows]); logits [rows, vocabulary].

        slots: of each row, the slot of its adapter (`lora.NONE`: the base alone).
        """
        ...


class _Place:
    """Where the next token of each row is written: renewed each step, shared by all layers."""

    def __init__(self) -> None:
        self.flat = torch.empty(0, dtype=torch.long)  # [rows]: slot * columns + column
        self.rows = 0  # in use, of all slots
        self.width = 0  # the longest row with its new token, of all columns


class _SlotLayer(DynamicLayer):
    """Keys and values [slots, columns, heads, head size]; the model sees the rows in use."""

    def __init__(self, place: _Place, like: DynamicLayer) -> None:
        super().__init__()
        self._place = place
        self.keys, self.values = (self._store(x, 0, 0) for x in self._of(like))
        self.is_initialized = True

    @staticmethod
    def _of(layer: DynamicLayer) -> tuple[Tensor, Tensor]:
        assert layer.keys is not None
        assert layer.values is not None
        return layer.keys, layer.values

    @property
    def kept_in(self) -> torch.dtype:
        return self._of(self)[0].dtype

    @staticmethod
    def _store(like: Tensor, slots: int, columns: int) -> Tensor:
        """Zeros: what a mask hides is still multiplied by 0, and memory as found may hold NaN."""
        return like.new_zeros(slots, columns, like.shape[1], like.shape[3])

    def grow(self, slots: int, columns: int) -> None:
        self.keys, self.values = (self._grown(x, slots, columns) for x in self._of(self))

    @staticmethod
    def _grown(store: Tensor, slots: int, columns: int) -> Tensor:
        grown = store.new_zeros(slots, columns, *store.shape[2:])
        grown[: store.shape[0], : store.shape[1]] = store
        return grown

    def put(self, row: int, length: int, other: DynamicLayer) -> None:
        """Copy a row's first `length` tokens from `other`, [1, heads, time, head size]."""
        for store, states in zip(self._of(self), self._of(other), strict=True):
            store[row, :length] = states[0].transpose(0, 1)  # [heads, time, size] turned

    def vacate(self, row: int, last: int) -> None:
        """The last row takes the place of `row`. Zeros stay: a row that failed may leave NaN."""
        for store in self._of(self):
            if row != last:
                store[row] = store[last]
            store[last] = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Of transformers: takes the new tokens' states [rows, heads, 1, head size], and gives all
        that attention should see, [rows, heads, width, head size]."""
        keys, values = self._of(self)
        return self._write(keys, key_states), self._write(values, value_states)

    def _write(self, store: Tensor, states: Tensor) -> Tensor:
        place = self._place
        new = states.squeeze(2)  # [rows, heads, 1, size] -> [rows, heads, size]
        store.view(-1, *store.shape[2:]).index_copy_(0, place.flat, new)
        return store[: place.rows, : place.width].transpose(1, 2)  # [rows, heads, width, size]

    def get_seq_length(self) -> int:
        return self._place.width - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._place.width, 0


class SlotCache:
    """All rows in one tensor a layer. A token's column is its position, in every architecture's
    sense, so no architecture needs padding on the left."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._place = _Place()
        self._layers: list[_SlotLayer] = []
        self._slots = self._columns = 0
        self._numbers = torch.empty(0)
        self._cache = DynamicCache()

    def join(self, cache: DynamicCache, length: int) -> None:
        row = len(self._lengths)
        if not self._layers:
            self._layers = [_SlotLayer(self._place, plain(layer)) for layer in cache.layers]
            layers: list[Any] = [*self._layers]
            self._cache.layers = layers
        self._reserve(row + 1, length + 1)
        for mine, theirs in zip(self._layers, cache.layers, strict=True):
            mine.put(row, length, plain(theirs))
        self._lengths.append(length)

    def leave(self, row: int) -> None:
        last = len(self._lengths) - 1
        if last == 0:
            self.__init__()  # gives the memory back
            return
        for layer in self._layers:
            layer.vacate(row, last)
        self._lengths[row] = self._lengths[last]
        self._lengths.pop()

    def forward(self, resident: Resident, tokens: Sequence[int], slots: Sequence[int]) -> Tensor:
        rows, width = len(self._lengths), max(self._lengths) + 1
        self._reserve(rows, width)
        device = resident.model.device
        lengths = torch.tensor(self._lengths, device=device).unsqueeze(1)  # [rows, 1]
        place = self._place
        place.rows, place.width = rows, width
        place.flat = (lengths + self._numbers[:rows, None] * self._columns).squeeze(1)
        hidden = self._numbers[:width] > lengths  # [rows, width]: beyond the row's new token
        # 4-D and float: of the forms that transformers 5.23 and 5.24 take, the one that is never
        # reinterpreted (bool is added as a number by eager attention) and costs no rebuilding.
        mask = torch.zeros(hidden.shape, dtype=self._layers[0].kept_in, device=device)
        mask.masked_fill_(hidden, torch.finfo(mask.dtype).min)
        resident.select(slots)
        logits, _ = resident.forward(
            torch.tensor(tokens, device=device).unsqueeze(1),  # [rows, 1]
            self._cache,
            position_ids=lengths,
            attention_mask=mask[:, None, None, :],  # [rows, heads: 1, queries: 1, width]
        )
        self._lengths = [length + 1 for length in self._lengths]
        return logits[:, -1]  # [rows, 1, vocabulary] -> [rows, vocabulary]

    def _reserve(self, slots: int, columns: int) -> None:
        """Room for that many rows and columns; doubled, so that growing costs little per token."""
        if slots <= self._slots and columns <= self._columns:
            return
        self._slots = _doubled(max(self._slots, 1), slots)
        self._columns = _doubled(max(self._columns, _FIRST_COLUMNS), columns)
        for layer in self._layers:
            layer.grow(self._slots, self._columns)
        device = self._layers[0].keys.device if self._layers[0].keys is not None else None
        self._numbers = torch.arange(max(self._slots, self._columns), device=device)


def _doubled(size: int, wanted: int) -> int:
    while size < wanted:
        size *= 2
    return size


class OwnCaches:
    """Each row in the cache that the model itself made for it; a forward pass a row."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, int]] = []

    def join(self, cache: Any, length: int) -> None:
        self._rows.append((cache, length))

    def leave(self, row: int) -> None:
        last = self._rows.pop()
        if row < len(self._rows):
            self._rows[row] = last

    def forward(self, resident: Resident, tokens: Sequence[int], slots: Sequence[int]) -> Tensor:
        found: list[Tensor] = []
        for row, (token, slot) in enumerate(zip(tokens, slots, strict=True)):
            cache, length = self._rows[row]
            logits, cache = resident.prefill([token], slot, cache, length)  # [1, vocabulary]
            self._rows[row] = cache, length + 1
            found.append(logits)
        return torch.cat(found)
