"""More clients than can be served at once."""

import asyncio
import json
from collections.abc import Callable, Iterator

import psutil
import pytest

from servers import Server, start_server
from tunewright.api.turns import Lane
from tunewright.errors import Busy

SIZE = 20 * (5 + 384 // 12)  # of a request below: its tokens, and its vectors counted as such


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(
        tmp_path_factory.mktemp("crowd") / "home",
        TUNEWRIGHT_EMBEDDING_TOKENS=str(16 * SIZE),
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
    embed = {"model": "text-embedding-ada-002", "input": [f"a few words of {n}" for n in range(20)]}
    assert server.http.post("/embeddings", json=embed).status_code == 200
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    answers = asyncio.run(together(server, post(server, "/embeddings", embed), 1000))
    grown = process.memory_info().rss - before
    heads = [answer.partition(b"\r\n\r\n")[0].lower() for answer in answers]
    served = [head for head in heads if head.startswith(b"http/1.1 200")]
    refused = [head for head in heads if head.startswith(b"http/1.1 429")]
    assert len(served) + len(refused) == 1000
    assert len(served) >= 12  # what one organisation may have of the room
    assert refused
    assert all(b"\r\nretry-after: " in h and b"\r\nretry-after-ms: " in h for h in refused)
    assert grown < 100e6
    assert server.http.post("/embeddings", json=embed).status_code == 200


@pytest.mark.slow
def test_a_server_that_stops_answers_everybody(new_server: Callable[..., Server]) -> None:
    """Embeddings that it has no time for are refused, in OpenAI's words; none is cut off."""
    server = new_server()
    many = [f"{n} " + "of these words " * 30 for n in range(2000)]
    embed = post(server, "/embeddings", {"model": "text-embedding-ada-002", "input": many})

    async def stopped_meanwhile() -> list[bytes]:
        answers = asyncio.create_task(together(server, embed, 6))
        await asyncio.sleep(2)
        server.process.terminate()
        return await answers

    for answer in asyncio.run(stopped_meanwhile()):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503"), head
        assert json.loads(body)["error"]["type"] == "server_error"
        assert "shutting down" in json.loads(body)["error"]["message"]
    assert server.process.wait(20) == 0


def test_a_lane_serves_organisations_in_turn() -> None:
    """A's three that wait do not stand before B's one; A cannot fill the lane; who leaves while
    it waits takes no place."""

    async def scenario() -> list[str]:
        lane, order, all_wait = Lane("some", places=1, most=8), list[str](), asyncio.Event()

        async def call(who: str, name: str) -> None:
            with lane.inside(who):
                async with lane.turn(who):
                    order.append(name)
                    await all_wait.wait()

        tasks = [asyncio.create_task(call("a", f"a{n}")) for n in range(4)]
        gone = asyncio.create_task(call("b", "gone"))
        tasks += [asyncio.create_task(call("b", "b0")), asyncio.create_task(call("a", "a4"))]
        await asyncio.sleep(0)
        gone.cancel()
        tasks.append(asyncio.create_task(call("a", "a5")))
        refused = asyncio.create_task(call("a", "a6"))
        with pytest.raises(Busy) as error:
            await refused
        assert 0.5 <= (error.value.retry_after or 0) <= 1.5
        all_wait.set()
        await asyncio.gather(*tasks)
        async with lane.turn("a"):  # the place is there again
            return order

    assert asyncio.run(scenario()) == ["a0", "a1", "b0", "a2", "a3", "a4", "a5"]


def test_bodies_are_bounded_together(server: Server) -> None:
    half = {"model": "text-embedding-ada-002", "input": "a", "user": "x" * 500_000}
    assert server.http.post("/embeddings", json=half).status_code == 200
    whole = {**half, "user": "x" * 1_000_000}
    answer = server.http.post("/embeddings", json=whole)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert server.http.post("/embeddings", json=half).status_code == 200
