"""The tensors of a file, found, put in transformers' order and written as safetensors, a part at a
time."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import orjson

from tunewright.gguf.dequantise import dequantised
from tunewright.gguf.kinds import Kind
from tunewright.gguf.reading import Reader, Stored
from tunewright.gguf.tensors import ROPE_FACTORS, Pair, Sizes, order_in_transformers, pairs

_AT_ONCE: Final = 2**20  # numbers
_DTYPES: Final = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_BYTES: Final = {"F32": 4, "F16": 2, "BF16": 2}


class Weights:
    """What `pairs` calls for, found in a file.

    Raises BadRequest naming the tensor that is missing, surplus or of another shape.
    """

    def __init__(self, reader: Reader, architecture: str, sizes: Sizes) -> None:
        self._reader, self._sizes = reader, sizes
        self._found: list[tuple[Pair, Stored]] = []
        for pair in pairs(architecture, sizes.layers):
            stored = reader.tensors.get(pair.theirs)
            if stored is not None:
                self._check(pair, stored)
                self._found.append((pair, stored))
            elif not pair.optional:
                raise reader.refuse(f"its tensor {pair.theirs} is missing")
        self._refuse_surplus()
        self._refuse_few_biases(architecture)

    def _check(self, pair: Pair, stored: Stored) -> None:
        wanted = self._sizes.shape(pair)
        if stored.shape != wanted:
            raise self._reader.refuse(
                f"its tensor {pair.theirs} has the shape {list(stored.shape)}; by its keys it "
                f"should have {list(wanted)}"
            )

    def _refuse_surplus(self) -> None:
        known = {stored.name for _, stored in self._found}.union(ROPE_FACTORS)
        if surplus := [name for name in self._reader.tensors if name not in known]:
            raise self._reader.refuse(
                f"its tensor {surplus[0]} has no place in a model of its architecture"
            )

    def _refuse_few_biases(self, architecture: str) -> None:
        """transformers has them in every layer and, of attention, in each of its four products."""
        found = {stored.name for _, stored in self._found}
        attention = {"attn_q", "attn_k", "attn_v", "attn_output"}
        for group in (attention, {"ffn_gate", "ffn_up", "ffn_down"}):
            names = {
                pair.theirs
                for pair in pairs(architecture, self._sizes.layers)
                if pair.optional and pair.theirs.split(".")[-2] in group
            }
            if names & found and (missing := sorted(names - found)):
                raise self._reader.refuse(
                    f"its tensor {missing[0]} is missing, while it has {min(names & found)}"
                )

    def write(
        self, path: Path, progress: Callable[[int, int], None], room: Callable[[int], None]
    ) -> str:
        """All of them into one safetensors file. `room` hears the bytes that they will have,
        `progress` the bytes read of all. Returns the dtype that most numbers have. Raises
        BadRequest for a number that is not finite.

        What is stored as float16 or bfloat16 stays so. float32 becomes bfloat16 where no bit is
        lost, as in most files, whose vectors were bfloat16 before llama.cpp wrote them. What is
        quantised becomes bfloat16, whose rounding is far finer than four or eight bits.
        """
        kept = [(self._dtype(pair, stored), pair, stored) for pair, stored in self._found]
        kept.sort(key=lambda each: -_BYTES[each[0]])  # stable; places are multiples of each size
        room(sum(stored.numbers * _BYTES[dtype] for dtype, _, stored in kept))
        done, whole = 0, sum(stored.bytes for _, _, stored in kept)
        with path.open("xb") as file:
            self._write_header(file, kept)
            for dtype, pair, stored in kept:
                for part in self._parts(pair, stored):
                    file.write(self._encoded(part, dtype, pair).data)
                    done += part.size * stored.bytes // (stored.numbers)
                    progress(done, whole)
        count = Counter[str]()
        for dtype, _, stored in kept:
            count[dtype] += stored.numbers
        return _DTYPES[count.most_common(1)[0][0]]

    def numbers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every tensor by transformers' name, in its order and as exact as float32 is: not rounded
        as `write` rounds what is quantised."""
        for pair, stored in self._found:
            parts = [part.reshape(-1) for part in self._parts(pair, stored)]
            yield pair.ours, np.concatenate(parts).reshape(stored.shape)

    def _write_header(self, file: BinaryIO, kept: list[tuple[str, Pair, Stored]]) -> None:
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        end = 0
        for dtype, pair, stored in kept:
            start, end = end, end + stored.numbers * _BYTES[dtype]
            header[pair.ours] = {
                "dtype": dtype,
                "shape": list(stored.shape),
                "data_offsets": [start, end],
            }
        text = orjson.dumps(header)
        text += b" " * (-len(text) % 8)
        file.write(len(text).to_bytes(8, "little") + text)

    def _dtype(self, pair: Pair, stored: Stored) -> str:
        if stored.kind is Kind.F16 and pair.change != "norm":
            return "F16"
        if stored.kind not in (Kind.F16, Kind.F32):
            return "BF16"
        fits = all((part.view(np.uint32) & 0xFFFF == 0).all() for part in self._parts(pair, stored))
        return "BF16" if fits else "F32"

    def _parts(self, pair: Pair, stored: Stored) -> Iterator[np.ndarray]:
        """The numbers in transformers' order, float32, some rows at a time."""
        if len(stored.shape) == 1:
            yield self._vector(pair, stored)
            return
        step, whole = max(1, _AT_ONCE // stored.shape[-1]), self._turned(pair, stored)
        for first in range(0, stored.rows, step):
            count = min(step, stored.rows - first)
            if whole is None:
                rows = self._reader.rows(stored.name, first, count)
            else:
                rows = whole[first : first + count]
            yield dequantised(rows, stored.kind)

    def _turned(self, pair: Pair, stored: Stored) -> np.ndarray | None:
        """All rows as they are stored, in transformers' order; None where that is the file's."""
        heads = self._heads(pair)
        if heads is None:
            return None
        return self._reader.rows(stored.name)[order_in_transformers(stored.rows, heads)]

    def _heads(self, pair: Pair) -> int | None:
        return {"q": self._sizes.heads, "k": self._sizes.kv_heads}.get(pair.change)

    def _vector(self, pair: Pair, stored: Stored) -> np.ndarray:
        numbers = dequantised(self._reader.rows(stored.name), stored.kind)[0]
        heads = self._heads(pair)
        if heads is not None:
            return numbers[order_in_transformers(len(numbers), heads)]
        return numbers - np.float32(1) if pair.change == "norm" else numbers

    def _encoded(self, numbers: np.ndarray, dtype: str, pair: Pair) -> np.ndarray:
        if not np.isfinite(numbers).all():
            raise self._reader.refuse(f"its tensor {pair.theirs} holds NaN or an infinite number")
        if dtype == "F32":
            return numbers
        if dtype == "F16":
            return numbers.astype(np.float16)
        bits = numbers.view(np.uint32)
        return ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(np.uint16)
