"""`one_thread` holds in each thread that is inside, also where another one came first."""

import threading

import pytest

from tunewright.analysis.threads import one_thread

pytest.importorskip("sklearn.cluster", reason="the extra `explore` is not installed")


def test_each_thread_inside_computes_by_one_and_outside_it_is_as_before() -> None:
    before, found = _threads(), list[int]()
    inside = threading.Barrier(2, timeout=60)

    def compute() -> None:
        with one_thread(), one_thread():
            inside.wait()
            found.append(_threads())
            inside.wait()
        found.append(_threads())

    computing = [threading.Thread(target=compute) for _ in range(2)]
    for thread in computing:
        thread.start()
    for thread in computing:
        thread.join()
    assert sorted(found) == sorted([1, 1, before, before])
    assert _threads() == before


def _threads() -> int:
    from sklearn.utils._openmp_helpers import (  # pyright: ignore[reportMissingTypeStubs]
        _openmp_effective_n_threads,  # pyright: ignore[reportUnknownVariableType, reportPrivateUsage]
    )

    return int(_openmp_effective_n_threads())
