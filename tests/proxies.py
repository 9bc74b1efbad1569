"""A proxy on 127.0.0.1 that loses answers after the work was done."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Loser:
    """Passes everything on; the next `lose` answers to a POST end in a reset instead.

    `posts`: the head of each POST that reached the server, in lower case.
    """

    def __init__(self, server_url: str) -> None:
        self.lose = 0
        self.posts: list[str] = []
        self.url = ""
        self._above = server_url.split("//")[1].split("/")[0].split(":")

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, above = await asyncio.open_connection(*self._above)
        ways = [self._up(reader, above), self._down(answers, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            above.close()
            writer.close()

    async def _up(self, reader: asyncio.StreamReader, above: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if piece.startswith(b"POST "):
                self.posts.append(piece.decode("latin-1").lower())
            above.write(piece)

    async def _down(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await answers.read(65536):
            if self.lose:
                self.lose -= 1
                writer.transport.abort()
                return
            writer.write(piece)


@contextmanager
def losing_answers(server_url: str) -> Iterator[Loser]:
    """A `Loser` before the server, running in a thread."""
    loop = asyncio.new_event_loop()
    proxy = Loser(server_url)
    server = loop.run_until_complete(proxy.listen())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
