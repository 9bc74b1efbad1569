"""What the stubs of databases have in common: a server of JSON on 127.0.0.1, and rows that are
compared by the reference.

A stub is our reading of what a database's maker publishes. It evaluates the filter that it
*receives*, so a connector that sends a wrong one gets a wrong answer; it refuses what the database
refuses; and it leaves open what is left open there (the order of equal rows, say).
"""

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tunewright.testing.vectors.reference import distance

Answer = tuple[int, Any]


class Request:
    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.method, self.headers = handler.command, handler.headers
        self.path = [unquote(part) for part in parts.path.strip("/").split("/")]
        self.query = parse_qs(parts.query, keep_blank_values=True)
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def serving(answer: Callable[[Request], Answer]) -> Iterator[int]:
    """Yields the port. What `answer` gives is sent as JSON, or as it is where it is bytes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            status, given = answer(Request(self))
            body = given if isinstance(given, bytes) else json.dumps(given).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def nearest(
    metric: str, query: list[float], rows: Mapping[str, list[float]]
) -> list[tuple[float, str]]:
    """Distances and ids, nearest first; equal ones in an order of their own."""
    found = [(distance(metric, query, row), random.random(), id) for id, row in rows.items()]
    return [(away, id) for away, _, id in sorted(found)]
