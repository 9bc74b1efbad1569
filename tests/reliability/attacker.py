"""One client that does its worst, in a process of its own: it must not slow the test that watches.

Called as ``attacker.py HOST PORT SPEC``; SPEC is a file with a JSON object, the fields of `Plan`.
At its end it prints how often it got which answer, as JSON.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass


@dataclass
class Plan:
    """`request`: a file with the raw bytes, or None: connections that say nothing.

    connections: so many do the same at once, again and again for `seconds`. `drip`: pieces of so
    many bytes (0: all at once), `pause` seconds apart. `leave`: seconds after which a client goes
    away without having read its answer. `endless`: a file with bytes that follow the request for
    as long as the server takes them.
    """

    request: str | None
    connections: int = 4
    seconds: float = 10.0
    drip: int = 0
    pause: float = 0.0
    leave: float | None = None
    endless: str | None = None


def main() -> None:
    host, port, spec = sys.argv[1:]
    with open(spec) as opened:
        plan = Plan(**json.load(opened))
    print(json.dumps(asyncio.run(_attack(host, int(port), plan))))  # noqa: T201


async def _attack(host: str, port: int, plan: Plan) -> dict[str, int]:
    request = _bytes(plan.request)
    endless = _bytes(plan.endless)
    found: Counter[str] = Counter()
    until = time.monotonic() + plan.seconds

    async def client() -> None:
        while time.monotonic() < until:
            try:
                answer = await asyncio.wait_for(
                    _once(host, port, plan, request, endless), until + 5 - time.monotonic()
                )
            except (TimeoutError, OSError) as error:
                answer = type(error).__name__
                await asyncio.sleep(0.05)
            found[answer] += 1

    await asyncio.gather(*(client() for _ in range(plan.connections)))
    return dict(found)


async def _once(host: str, port: int, plan: Plan, request: bytes, endless: bytes) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        reading = asyncio.create_task(reader.read())
        sending = asyncio.create_task(_send(writer, plan, request, endless))
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if plan.leave is not None:
            await asyncio.sleep(plan.leave)
            return "left"
        answer = await reading
        return answer[9:12].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"
    finally:
        for task in (reading, sending):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, plan: Plan, request: bytes, endless: bytes) -> None:
    size = plan.drip or len(request) or 1
    for start in range(0, len(request), size):
        writer.write(request[start : start + size])
        await writer.drain()
        if plan.pause:
            await asyncio.sleep(plan.pause)
    while endless:
        writer.write(endless)
        await writer.drain()


def _bytes(path: str | None) -> bytes:
    if path is None:
        return b""
    with open(path, "rb") as opened:
        return opened.read()


if __name__ == "__main__":
    main()
