"""A server that may open few files: it says that it is full, and recovers."""

import os
import resource
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from servers import Server, chats

New = Callable[..., Server]
FILES = 128


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("prlimit"), reason="there is no prlimit command")
def test_with_few_files_it_refuses_and_recovers(new_server: New) -> None:
    server = new_server(files=str(FILES))
    worker = server.child("tunewright.work").pid
    # More connections than it may have files: each one gets an answer.
    found = Counter(answers(server, 3 * FILES))
    assert found.keys() == {200, 503}
    assert found[200] >= FILES // 2
    assert httpx.get(f"{server.root_url}/healthz").status_code == 200
    # Not a single file is left: who is connected hears so.
    server.upload(chats(1))
    with no_file_left(server.process.pid):
        waiting = connect(server)
        psutil.Process(worker).kill()
        for call in (upload, list_files, embed, create_job) * 2:
            answer = call(server)
            assert answer.status_code in (200, 400, 503), answer.text
            if call is upload:
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert "no file" in answer.json()["error"]["message"]
        time.sleep(0.5)  # the worker's end is noticed meanwhile
    assert b" 200 " in waiting.recv(100), "accepted when there was a file for it"
    waiting.close()
    file = server.upload(chats(2))
    assert server.http.get(f"/files/{file}/content").content == chats(2)
    assert server.child("tunewright.work").pid != worker
    assert server.process.poll() is None


def upload(server: Server) -> httpx.Response:
    given = {"data": {"purpose": "fine-tune"}, "files": {"file": ("a.jsonl", chats(2))}}
    return server.http.post("/files", **given)


def list_files(server: Server) -> httpx.Response:
    return server.http.get("/files")


def embed(server: Server) -> httpx.Response:
    return server.http.post("/embeddings", json={"model": "builtin-static", "input": "a"})


def create_job(server: Server) -> httpx.Response:
    body = {"model": "gpt-3.5-turbo", "training_file": "file-none"}
    return server.http.post("/fine_tuning/jobs", json=body)


def connect(server: Server) -> socket.socket:
    host, port = server.root_url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    sock.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return sock


def answers(server: Server, connections: int) -> Iterator[int]:
    """The status on each of so many connections, all open until the last one has answered."""
    socks = [connect(server) for _ in range(connections)]
    for sock in socks:
        yield int(sock.recv(4096).split()[1])
    for sock in socks:
        sock.close()


@contextmanager
def no_file_left(pid: int) -> Iterator[None]:
    process = psutil.Process(pid)
    before = process.rlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = next(number for number in range(FILES) if number not in used)
    process.rlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_NOFILE, before)
