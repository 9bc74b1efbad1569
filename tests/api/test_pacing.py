"""Who sends byte by byte is read less often; who sends head and body apart is not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api import connections
from tunewright.api.acting import CONNECTION
from tunewright.api.connections import SMALL_FREE, Patience, guarded

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"


async def echo(request: Request) -> Response:
    await asyncio.sleep(0.01)  # the key is looked up; meanwhile the body has come
    request.scope["state"][CONNECTION].let_in("org-a")
    return Response(await request.body())


def pauses(monkeypatch: pytest.MonkeyPatch, talk: Talk) -> list[float]:
    """The pauses, in seconds, that the server took while `talk` had a connection."""
    found: list[float] = []

    async def scenario() -> None:
        protocol = guarded(Patience(10, 10, 0, 10, 100, 100))
        loop = asyncio.get_running_loop()
        plain = loop.call_later

        def call_later(seconds: float, callback: Callable[..., object], *given: object) -> object:
            if getattr(callback, "__name__", "") == "_unpause":
                found.append(seconds)
                seconds = 0
            return plain(seconds, callback, *given)

        monkeypatch.setattr(loop, "call_later", call_later)
        app = Starlette(routes=[Route("/", echo, methods=["POST"])])
        config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_level="error")
        config.load()
        state = uvicorn.Server(config).server_state
        server = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await talk(reader, writer)
        writer.close()
        server.close()

    asyncio.run(scenario())
    return found


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(0.002)  # so that each arrives by itself


def test_head_and_body_apart_are_never_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3 * SMALL_FREE):
            await _send(writer, HEAD % 5)
            await _send(writer, b"hello")
            await reader.readuntil(b"hello")

    assert pauses(monkeypatch, talk) == []


def test_bytes_one_by_one_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _send(writer, HEAD % 60)
        for _ in range(60):
            await _send(writer, b"x")
        await reader.readuntil(b"x" * 60)

    found = pauses(monkeypatch, talk)
    assert found[0] == pytest.approx(2 * connections.LEAST_PAUSE)
    assert found == sorted(found)
    assert found[-1] == connections.MOST_PAUSE
