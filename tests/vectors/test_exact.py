"""Exact search against float64: whatever the sizes of the numbers, the parts and the filters."""

from pathlib import Path

import numpy as np
import pytest

from tunewright.vectors.index import Metric
from tunewright.vectors.local import LocalIndex, exact, keeping, rows
from tunewright.vectors.local.view import View

METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")
N, D = 400, 24


def data(kind: str) -> np.ndarray:
    chance = np.random.default_rng(7)
    plain = chance.normal(size=(N, D))
    made = {
        "plain": plain,
        "tiny": plain * 1e-30,
        "huge": plain * 1e18,
        "of all sizes": plain * 10.0 ** chance.integers(-18, 18, (N, 1)),
        "far from zero": plain + 1000,
        "nearly equal": np.ones((N, D)) + plain * 1e-6,
        "duplicates": np.repeat(plain[: N // 40], 40, axis=0)[chance.permutation(N)],
        "one direction": plain[:1] * chance.integers(1, 9, (N, 1)),
    }
    return made[kind].astype(np.float32)


KINDS = [
    *("plain", "tiny", "huge", "of all sizes", "far from zero"),
    *("nearly equal", "duplicates", "one direction"),
]


def distances(metric: Metric, query: np.ndarray, found: np.ndarray) -> np.ndarray:
    q, v = query.astype(np.float64), found.astype(np.float64)
    if metric == "euclidean":
        return np.array([np.linalg.norm(row - q) for row in v])
    products = np.array([row @ q for row in v])
    if metric == "dot":
        return -products
    return 1 - products / (np.linalg.norm(v, axis=1) * np.linalg.norm(q))


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> View:
    metric, kind = request.param
    monkeypatch.setattr(rows, "PART", 64)
    monkeypatch.setattr(keeping.Keeper, "ask", lambda *_: None)
    index = LocalIndex(tmp_path)
    index.create("c", D, metric)
    index.upsert("c", [f"{number:03}" for number in range(N)], data(kind), [{}] * N)
    with index._opened.using("c") as collection:
        view = collection.view()
    index.close()
    return view


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(
            (metric, kind),
            id=f"{metric} {kind}",
            marks=() if kind in ("of all sizes", "duplicates") else pytest.mark.slow,
        )
        for metric in METRICS
        for kind in KINDS
    ],
    indirect=True,
)
def test_it_finds_what_float64_finds(view: View) -> None:
    stored = view.vectors(np.arange(N))
    queries = np.concatenate([stored[:3], stored[5:6] * 2, stored[7:8] + stored[9:10]])
    for share, k in ((1.0, 10), (0.5, 10), (0.05, 10), (1.0, N + 5)):
        mask = np.random.default_rng(3).random(N) < share
        masks = [mask[start : start + 64] for start in range(0, N, 64)]
        hits = exact.search(view, queries, k, masks)
        there = np.flatnonzero(mask)
        for number, query in enumerate(queries):
            true = distances(view.metric, query, stored[there])
            places = [int(id) for id in hits.ids[number]]
            assert len(places) == len(set(places)) == min(k, len(there))
            shown = hits.distances[number].astype(np.float64)
            assert (np.diff(shown) >= 0).all()
            own = true[np.searchsorted(there, places)]
            # 1e-44: the smallest that float32 has
            room = 1e-44 + 2e-7 * np.maximum(np.abs(own), 1 if view.metric == "cosine" else 0)
            assert (np.abs(own - shown) <= room).all()
            best = np.sort(true)[: len(places)]
            assert (np.abs(best - own) <= room + 2e-7 * np.abs(best)).all()
            tied = np.diff(hits.distances[number]) == 0
            assert all(a < b for a, b, tie in zip(places, places[1:], tied, strict=False) if tie)
