"""The engine has no file left for a connection: it takes the next one when there is."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from servers import Server
from tunewright.errors import Unavailable
from tunewright.home import Home
from tunewright.serving.client import EngineClient


@contextmanager
def no_file_left(process: psutil.Process) -> Iterator[None]:
    """`process` can open nothing more; what it has open stays."""
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_NOFILE, before)


def test_an_engine_without_files_takes_connections_again(server: Server) -> None:
    """The thread that takes them must not end with the first that fails."""
    body = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "x"}]}
    assert server.http.post("/chat/completions", json={**body, "max_tokens": 1}).is_success
    first, second = (EngineClient(Home(server.home).socket) for _ in range(2))
    with no_file_left(server.child("tunewright.serving")):
        first.ping()  # who waits for a connection has a file for it already
        with pytest.raises(Unavailable):
            second.ping(timeout=0.5)
    second.ping()
    for engine in (first, second):
        engine.close()
