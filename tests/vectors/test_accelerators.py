"""What makes large collections fast: proofs of the int8 scan, the graph's promise, its file."""

import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tunewright.vectors.filters import parse
from tunewright.vectors.index import Floats, Metric
from tunewright.vectors.local import LocalIndex, accelerator, building, files, rows, scans

needs_faiss = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="no faiss")
ROWS, D = 1500, 24
METRICS: tuple[Metric, ...] = get_args(Metric)


def clustered(count: int, seed: int) -> Floats:
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(40, D))
    points = centres[chance.integers(40, size=count)] + 0.4 * chance.normal(size=(count, D))
    return points.astype(np.float32)


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART", 512)


def filled(folder: Path, way: str, metric: Metric = "cosine", seed: int = 1) -> LocalIndex:
    index = LocalIndex(folder, way)
    index.create("c", D, metric)
    ids = [f"{number:05}" for number in range(ROWS)]
    attributes = [{"k": n % 20, "b": n % 2 == 0} for n in range(ROWS)]
    index.upsert("c", ids, clustered(ROWS, seed), attributes)
    return index


FILTERS = [
    None,
    parse({"type": "eq", "key": "b", "value": True}),
    parse({"type": "eq", "key": "k", "value": 3}),
    parse({"type": "in", "key": "k", "value": [1, 2, 3, 4, 5]}),
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("way", ["numpy", pytest.param("scan", marks=needs_faiss)])
def test_a_scan_of_int8_is_exact(tmp_path: Path, way: str, metric: Metric) -> None:
    exact, fast = filled(tmp_path / "exact", "exact", metric), filled(tmp_path, way, metric)
    queries = clustered(15, 2)
    for where in FILTERS:
        for query in queries:
            found, truth = (index.search("c", query[None], 10, where) for index in (fast, exact))
            assert found.ids == truth.ids
            assert found.distances.tolist() == truth.distances.tolist()
    exact.close()
    fast.close()


@pytest.mark.parametrize("way", ["numpy", pytest.param("scan", marks=needs_faiss)])
def test_filters_of_too_many_rows_for_a_copy(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "COPIED", 64 * 800)  # for a quarter of it: 200 rows
    exact, fast = filled(tmp_path / "exact", "exact"), filled(tmp_path, way)
    for where in FILTERS:
        for query in clustered(15, 2):
            found, truth = (index.search("c", query[None], 10, where) for index in (fast, exact))
            assert found.ids == truth.ids
    exact.close()
    fast.close()


@pytest.mark.parametrize("metric", METRICS)
def test_no_row_is_nearer_than_the_slack_allows(metric: Metric) -> None:
    vectors, queries = clustered(400, 3), clustered(30, 4)
    queries[::3] *= 5  # of a distance, int8 cannot hold that; the slack says so
    plain = scans.Scale(metric, 1, vectors.mean(axis=0) if metric == "euclidean" else None)
    prepared = plain.prepared(vectors)
    scale = scans.Scale(metric, float(np.abs(prepared).max()) / scans.MOST, plain.centre)
    codes = scale.codes(prepared)
    lost, longest = building.sizes(scale, prepared, codes)
    asked = scans.asked(scale, queries)
    scanned = scans.Widened(codes, metric)
    for query, found in zip(
        scale.prepared(queries), scans.found(scanned, scale, lost, longest, asked, 400), strict=True
    ):
        rows = prepared[found.rows].astype(np.float64)
        true = rows @ query
        if metric == "euclidean":
            true = -np.sqrt(np.square(rows - query).sum(axis=1))
        assert len(true) == 400
        assert (np.abs(true - found.near) <= found.slack).all()
        if metric != "euclidean":
            assert found.slack < 0.1 * np.abs(true).max()


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    """Always asked, whatever is faster for so few rows."""
    monkeypatch.setattr(building, "seconds_of_scan", lambda *_: 1.0)
    monkeypatch.setattr(building, "seconds_of_product", lambda *_: 1.0)
    index = filled(tmp_path, "graph")
    yield index
    index.close()


def share_found(fast: LocalIndex, exact: LocalIndex, queries: Floats, where: object) -> float:
    shares = []
    for query in queries:
        found, truth = (index.search("c", query[None], 10, where) for index in (fast, exact))  # type: ignore[arg-type]
        assert len(found.ids[0]) == len(truth.ids[0])
        shares.append(len({*found.ids[0]} & {*truth.ids[0]}) / len(truth.ids[0]))
    return float(np.mean(shares))


@needs_faiss
def test_the_graph_keeps_its_promise(
    graph: LocalIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exact = filled(tmp_path / "exact", "exact")
    with caplog.at_level(logging.INFO, "tunewright"):
        graph.search("c", clustered(1, 2), 10)
    assert "recall@10" in caplog.text
    for where in FILTERS:
        assert share_found(graph, exact, clustered(60, 5), where) >= 0.97
    # What is near the query does not match: none may be missing.
    far = parse({"type": "gte", "key": "far", "value": 0})
    for index in (graph, exact):
        away = -10 * clustered(400, 1)
        index.upsert("c", [f"far-{n:03}" for n in range(400)], away, [{"far": 1}] * 400)
        index.delete("c", ids=[f"{number:05}" for number in range(0, ROWS, 9)])
    assert share_found(graph, exact, clustered(20, 6), far) == 1
    exact.close()


@needs_faiss
def test_the_graph_is_kept_and_what_does_not_fit_is_made_anew(
    graph: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.vectors.local import kept_graphs

    queries = clustered(30, 7)
    before = [graph.search("c", query[None], 10).ids for query in queries]
    kept = tmp_path / "c" / files.GRAPH
    written = kept.read_bytes()
    made: list[int] = []
    with_graph = building.with_graph

    def counted(*given: object) -> object:
        made.append(1)
        return with_graph(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(building, "with_graph", counted)
    graph.delete("c", ids=["00007", "00900"])
    again = LocalIndex(tmp_path, "graph")
    found = [again.search("c", query[None], 10).ids for query in queries]
    assert not made
    assert not {"00007", "00900"} & {id for ids in found for id in ids[0]}
    assert sum(one == other for one, other in zip(found, before, strict=True)) > 25
    again.close()
    with graph._opened.using("c") as collection:
        view = collection.view()
    assert kept_graphs.read(kept, view) is not None
    damaged = bytearray(written)
    damaged[len(damaged) // 2] ^= 1
    for bad in (bytes(damaged), written[:-1], written[:100], b""):
        kept.write_bytes(bad)
        assert kept_graphs.read(kept, view) is None
    # A backup was put back: the same slots have other vectors.
    graph.drop("c")
    assert not kept.exists()
    other = filled(tmp_path, "graph", seed=8)
    kept.write_bytes(written)
    with other._opened.using("c") as collection:
        assert kept_graphs.read(kept, collection.view()) is None
    other.close()


@needs_faiss
def test_a_search_that_began_before_the_accelerator_was_made(tmp_path: Path) -> None:
    """It still sees rows that the accelerator never knew."""
    index, query = filled(tmp_path, "scan"), clustered(1, 2)
    with index._opened.using("c") as collection:
        before = collection.view()
        accelerating = collection._accelerating
        nearest = index.search("c", query, 3).ids[0]
        index.delete("c", ids=[nearest[0], *(f"{number:05}" for number in range(600, 1200))])
        index.search("c", query, 1)  # makes one anew
        assert accelerating.search(before, query, 3, None).ids == [nearest]
    assert nearest[0] not in index.search("c", query, 3).ids[0]
    index.close()
