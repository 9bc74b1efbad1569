"""Ours in the form of the rivals: `python ours.py NAME CACHE COUNT`. It is searched with faiss,
without it, and with no accelerator at all."""

import sys
import time

import asked
from asked import Data, Engine, K


class Ours(Engine):
    """It has no width: it chooses how it searches by itself."""

    widths = (None,)

    def _opened(self, folder):
        from tunewright.vectors import open_index

        self.index = open_index(str(folder))

    def _add(self, ids, rows, data):
        self.index.upsert("bench", [str(id) for id in ids], rows, data.said(ids))

    def start(self, data: Data, folder) -> None:
        self._opened(folder)
        self.index.create("bench", data.rows.shape[1], "cosine")

    def insert(self, ids, data):
        self._add(ids, data.block(ids), data)

    def build(self, data, folder):
        self.start(data, folder)
        for ids, rows in data.parts(5_000):
            self._add(ids, rows, data)
        self.index.close()

    def open(self, data, folder):
        self._opened(folder)

    def settle(self, data):
        self.search(data.queries[:1], None, None)
        while not self.index.settled("bench"):
            time.sleep(0.1)

    def search(self, queries, width, where):
        from tunewright.vectors.filters import parse

        chosen = where and parse({"type": "eq", "key": where[0], "value": where[1]})
        found = self.index.search("bench", queries, K, chosen)
        return [[int(id) for id in ids] for ids in found.ids]


class Exact(Ours):
    """Every row compared, in float32: no accelerator."""

    def _opened(self, folder):
        super()._opened(f"local+exact:{folder}")


class WithoutFaiss(Ours):
    def __init__(self) -> None:
        sys.modules["faiss"] = None  # importing it raises ImportError


if __name__ == "__main__":
    asked.serve({"ours": Ours, "ours_without_faiss": WithoutFaiss, "ours_exact": Exact})
