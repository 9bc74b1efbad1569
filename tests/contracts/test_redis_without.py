"""What a Redis is told that has nothing to search vectors with, as that of Debian 12."""

import socketserver
import threading
from collections.abc import Iterator

import pytest
from vector_databases import client

from tunewright.errors import Unavailable
from tunewright.vectors import open_index

ANSWERS = {b"COMMAND": b"*2\r\n*-1\r\n*-1\r\n", b"HGET": b"$-1\r\n", b"HKEYS": b"*0\r\n"}


class Old(socketserver.StreamRequestHandler):
    """Of Redis' protocol what is needed to say: there is nothing here, and no such command."""

    def handle(self) -> None:
        while head := self.rfile.readline():
            words: list[bytes] = []
            for _ in range(int(head[1:])):
                self.rfile.readline()
                words.append(self.rfile.readline().strip().upper())
            answers = {
                b"COMMAND": b"*2\r\n*-1\r\n*-1\r\n",
                b"HGET": b"$-1\r\n",
                b"HKEYS": b"*0\r\n",
            }
            self.wfile.write(answers.get(words[0], b"+OK\r\n"))


@pytest.fixture
def old() -> Iterator[str]:
    client("redis")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Old) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.slow
def test_a_redis_that_can_search_no_vectors_is_refused(old: str) -> None:
    index = open_index(old)
    with pytest.raises(Unavailable, match=r"neither a query engine .* nor vector sets"):
        index.create("rows", 4)
    assert index.collections() == []
    index.close()
