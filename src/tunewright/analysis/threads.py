"""How many threads a computation uses: one, so that a result is the same wherever it is computed.

A sum that is cut into parts by the number of cores has another last bit on another machine, and
from there t-SNE or k-means make another picture.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_lock = threading.Lock()
_inside = 0
_limits = ExitStack()


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS and OpenMP use one thread in this process; several threads may be inside at once, and
    the last one to leave gives back what was before.

    Raises ModuleNotFoundError where threadpoolctl, which scikit-learn brings, is not installed.
    """
    global _inside
    with _lock:
        if not _inside:
            _limits.enter_context(_limited())
        _inside += 1
    try:
        with _openmp():
            yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limits.close()


@contextmanager
def _openmp() -> Iterator[None]:
    """OpenMP, unlike BLAS, keeps its number of threads for each thread that calls it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="openmp"):
        yield


@contextmanager
def _limited() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    # The limits are of libraries that are loaded already; one that is loaded inside reads these.
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
