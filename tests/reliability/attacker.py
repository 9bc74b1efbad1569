"""One client that does its worst, in a process of its own: it must not slow the test that watches.

Called as ``attacker.py HOST PORT SPEC``; SPEC is a file with a JSON object, the fields of `Plan`.
At its end it prints how often it got which answer, as JSON.
"""

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Plan:
    """`requests`: files with raw bytes, sent in turn; none: connections that say nothing.

    connections: so many do the same at once, again and again for `seconds`. `drip`: pieces of so
    many bytes (0: all at once), `pause` seconds apart. `leave`: seconds after which a client goes
    away without having read its answer. `endless`: a file with bytes that follow the request for
    as long as the server takes them. `keep`: a connection is used for one request after the other.
    `deaf`: answers are never read, and the connection is held to the end.
    """

    requests: list[str]
    connections: int = 4
    seconds: float = 10.0
    drip: int = 0
    pause: float = 0.0
    leave: float | None = None
    endless: str | None = None
    keep: bool = False
    deaf: bool = False


def main() -> None:
    host, port, spec = sys.argv[1:]
    plan = Plan(**json.loads(Path(spec).read_text()))
    found = asyncio.run(_Attack(host, int(port), plan).run())
    print(json.dumps(found))  # noqa: T201


class _Attack:
    def __init__(self, host: str, port: int, plan: Plan) -> None:
        self._host, self._port, self._plan = host, port, plan
        given = [Path(path).read_bytes() for path in plan.requests] or [b""]
        self._requests: Iterator[bytes] = itertools.cycle(given)
        self._endless = Path(plan.endless).read_bytes() if plan.endless else b""
        self._until = time.monotonic() + plan.seconds
        self._found: Counter[str] = Counter()

    async def run(self) -> dict[str, int]:
        await asyncio.gather(*(self._client() for _ in range(self._plan.connections)))
        return dict(self._found)

    async def _client(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._connection(), left + (0 if self._plan.deaf else 5))
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                self._found[type(error).__name__] += 1
                await asyncio.sleep(0.05)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            if self._plan.keep:
                await self._one_after_the_other(reader, writer)
            elif self._plan.deaf:
                await self._send(writer)
                await asyncio.sleep(self._until - time.monotonic())
                self._found["held"] += 1
            else:
                self._found[await self._once(reader, writer)] += 1
        finally:
            writer.transport.abort()

    async def _once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        reading = asyncio.create_task(reader.read())
        sending = asyncio.create_task(self._send(writer))
        try:
            await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
            if self._plan.leave is not None:
                await asyncio.sleep(self._plan.leave)
                return "left"
            return _status(await reading)
        finally:
            for task in (reading, sending):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task

    async def _one_after_the_other(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while time.monotonic() < self._until:
            await self._send(writer)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or b"0"))
            self._found[_status(head)] += 1
            if b"connection: close" in head.lower():
                return

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        request = next(self._requests)
        size = self._plan.drip or len(request) or 1
        for start in range(0, len(request), size):
            writer.write(request[start : start + size])
            await writer.drain()
            if self._plan.pause:
                await asyncio.sleep(self._plan.pause)
        while self._endless:
            writer.write(self._endless)
            await writer.drain()


def _status(answer: bytes) -> str:
    return answer[9:12].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"


if __name__ == "__main__":
    main()
