"""More clients than can be served at once."""

import asyncio
import json
from collections.abc import Iterator

import psutil
import pytest
from starlette.types import Receive

from servers import Server, start_server
from tunewright.api.crowd import Crowd
from tunewright.errors import Busy
from tunewright.settings import Settings

QUEUE = 16


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(
        tmp_path_factory.mktemp("crowd") / "home",
        TUNEWRIGHT_EMBEDDING_QUEUE=str(QUEUE),
        TUNEWRIGHT_BODIES_LIMIT="1000000",
    )
    yield running
    running.stop()


def post(server: Server, path: str, body: dict) -> bytes:
    data = json.dumps(body).encode()
    return (
        f"POST /v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
        f"Connection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


async def together(server: Server, request: bytes, clients: int) -> list[bytes]:
    """All connect, then all send, then all read to the end."""
    host, port = server.root_url.removeprefix("http://").split(":")
    lines = [await asyncio.open_connection(host, int(port)) for _ in range(clients)]

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()

    return await asyncio.gather(*(ask(*line) for line in lines))


def test_a_thousand_clients(server: Server) -> None:
    """Each is answered with 200 or 429, none is reset, and memory stays where it was."""
    embed = {"model": "text-embedding-ada-002", "input": ["a few words of text"] * 20}
    assert server.http.post("/embeddings", json=embed).status_code == 200
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    answers = asyncio.run(together(server, post(server, "/embeddings", embed), 1000))
    grown = process.memory_info().rss - before
    heads = [answer.partition(b"\r\n\r\n")[0].lower() for answer in answers]
    served = [head for head in heads if head.startswith(b"http/1.1 200")]
    refused = [head for head in heads if head.startswith(b"http/1.1 429")]
    assert len(served) + len(refused) == 1000
    assert len(served) >= QUEUE
    assert all(b"\r\nretry-after: " in h and b"\r\nretry-after-ms: " in h for h in refused)
    assert grown < 100e6
    assert server.http.post("/embeddings", json=embed).status_code == 200


def test_generation_is_bounded_too() -> None:
    """A third one is refused while two are under way, whose bodies have arrived; a slow body
    takes no place."""

    async def scenario() -> None:
        end = asyncio.Event()

        async def generate(scope: dict, receive: Receive, send: object) -> None:
            while (await receive()).get("more_body"):
                pass
            await end.wait()

        crowd = Crowd(generate, Settings(generation_queue=2))
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}

        def call(*pieces: dict) -> asyncio.Task:
            arriving: asyncio.Queue = asyncio.Queue()
            for piece in pieces:
                arriving.put_nowait({"type": "http.request", **piece})
            return asyncio.create_task(crowd(scope, arriving.get, None))

        slow = [call({"body": b"{", "more_body": True}) for _ in range(5)]
        running = [call({"body": b"{}"}) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(Busy) as refused:
            await call({"body": b"{}"})
        assert 0.5 <= (refused.value.retry_after or 0) <= 1.5
        end.set()
        await asyncio.gather(*running)
        await call({"body": b"{}"})
        for task in slow:
            task.cancel()

    asyncio.run(scenario())


def test_bodies_are_bounded_together(server: Server) -> None:
    half = {"model": "text-embedding-ada-002", "input": "a", "user": "x" * 500_000}
    assert server.http.post("/embeddings", json=half).status_code == 200
    whole = {**half, "user": "x" * 1_000_000}
    answer = server.http.post("/embeddings", json=whole)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert server.http.post("/embeddings", json=half).status_code == 200
