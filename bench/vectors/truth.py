"""What the exact answers are, and how many of them an engine found."""

from pathlib import Path

import numpy as np
from asked import Data, K, value_of

QUERIES = 300  # of which recall is measured: the interval of 0.99 is about +-0.006


class Truth:
    def __init__(self, cache: Path, count: int) -> None:
        self.data = Data(cache, count)
        kept = cache / f"truth-{count}.npz"
        if not kept.exists():
            np.savez(kept, **self._computed())
        self._least = dict(np.load(kept))  # [QUERIES]: the similarity of the tenth nearest

    def _computed(self) -> dict[str, np.ndarray]:
        """Exact scans, by parts of the rows."""
        queries = self.data.queries[:QUERIES]
        best = {name: np.full((QUERIES, K), -np.inf, np.float32) for name in ("", *self._values())}
        for ids, rows in self.data.parts(50_000):
            near = queries @ rows.T  # [QUERIES, part]
            part = slice(ids.start, ids.stop)
            for name, kept in best.items():
                seen = near
                if name:
                    asked = [value_of(name, query)[1] for query in range(QUERIES)]
                    here = self._values()[name][part][None] == np.array(asked)[:, None]
                    seen = np.where(here, near, -np.inf)
                merged = np.concatenate([kept, seen], axis=1)
                kept[:] = np.partition(merged, -K, axis=1)[:, -K:]
        return {name or "none": kept.min(axis=1) for name, kept in best.items()}

    def _values(self) -> dict[str, np.ndarray]:
        return {"tenth": self.data.tenth, "hundredth": self.data.hundredth}

    def recall(self, where: str | None, first: int, found: list[list[int]]) -> float:
        """The share of the ten nearest that were found; equally near ones count. Raises ValueError
        for a row that the filter does not match, or one that comes twice."""
        hits = total = 0
        for query, ids in enumerate(found, first):
            if len(set(ids)) != len(ids):
                raise ValueError(f"query {query}: a row comes twice: {ids}")
            if where and any(self._values()[where][id] != value_of(where, query)[1] for id in ids):
                raise ValueError(f"query {query}: a row does not match the filter")
            rows = self.data.rows[sorted(ids)]
            least = self._least[where or "none"][query]
            hits += int((rows @ self.data.queries[query] >= least - 2e-6).sum())
            total += int(min(K, np.isfinite(least) * K or K))
        return hits / total
