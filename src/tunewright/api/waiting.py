"""Waiting for what is computed elsewhere, for as long as the client does."""

import asyncio
from concurrent.futures import Future
from typing import Any

from starlette.requests import Request

_SOON = 0.05  # seconds in which nobody is looked for who may have left: it takes a task of its own


async def arrived(request: Request, future: "Future[Any]") -> bool:
    """Wait until it has a result or has failed. False where the client left first: then it is
    cancelled."""
    coming = asyncio.wrap_future(future)  # to cancel the one is to cancel the other
    try:
        await asyncio.wait([coming], timeout=_SOON)
        if not coming.done():
            await _or_left(request, coming)
        return coming.done()
    finally:
        if not coming.cancel() and not coming.cancelled():
            coming.exception()  # or asyncio would log that nobody looked at it


async def _or_left(request: Request, coming: "asyncio.Future[Any]") -> None:
    leaving = asyncio.create_task(left(request))
    try:
        await asyncio.wait([coming, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()


async def left(request: Request) -> None:
    """Returns when the client leaves. The body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
