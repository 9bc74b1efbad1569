"""Runs the API on a socket, in this process, with the engine and the worker beside it."""

import asyncio
import gc
import ipaddress
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from tunewright.api.application import create_api
from tunewright.api.connections import Patience, guarded
from tunewright.api.gate import MAX_HEAD
from tunewright.app import Tunewright
from tunewright.errors import BadRequest

BACKLOG = 2048
ACCEPTED = 32  # connections in one round of the event loop; each is some 0.2 ms of work
MAX_FILES = 65536
# Seconds that a thread keeps the interpreter while others want it: the event loop asks for it
# some ten times in a request, and Python's 5 ms each time are all that a client has.
SWITCH_SECONDS = 0.0005
DRAIN_SECONDS = 5  # of the 10 that a stopping server may take


def serve(tw: Tunewright, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests end and stop what was started.

    `on_ready` is called with the base URL as soon as connections are accepted. Raises BadRequest
    for an address that needs --allow-remote or is taken, and for a home that is in use.
    """
    check_address(tw.settings.host, tw.settings.allow_remote)
    _allow_many_files()
    sys.setswitchinterval(SWITCH_SECONDS)
    listener = _bind(tw.settings.host, tw.settings.port)
    try:
        tw.start()
        on_ready(_url(listener))
        server = _Server(
            tw,
            uvicorn.Config(
                create_api(tw),
                http=guarded(Patience.of(tw.settings)),
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_level=logging.WARNING,
                access_log=False,
                server_header=False,
                backlog=ACCEPTED,
                h11_max_incomplete_event_size=MAX_HEAD,
                timeout_keep_alive=tw.settings.idle_seconds,  # pyright: ignore[reportArgumentType]
                timeout_graceful_shutdown=DRAIN_SECONDS,
            ),
        )
        # uvicorn raises the signal again once it has shut down; what is left to end is ours.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        _settle()
        server.run(sockets=[listener])
    finally:
        listener.close()
        tw.close()


def _settle() -> None:
    """Python looks through all that is alive from time to time, and nothing else runs meanwhile:
    0.2 to 0.3 s, mostly for modules and classes, which stay to the end. Those are left out."""
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    def __init__(self, tw: Tunewright, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._tw = tw

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """asyncio takes as many connections at once as may wait: here more may wait."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Embeddings that cannot be computed in time are answered, before connections are cut."""
        loop, close = asyncio.get_running_loop(), self._tw.scheduler.close
        loop.call_later(DRAIN_SECONDS - 1, loop.run_in_executor, None, close)
        await super().shutdown(sockets)


def _allow_many_files() -> None:
    """Each connection is an open file, and 1,024 is a usual soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_address(host: str, allow_remote: bool) -> None:
    """Refuses what is reachable from elsewhere, unless the operator said so."""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and not allow_remote:
        raise BadRequest(
            f"{host} can be reached from other machines. Keys protect the API, but traffic is not "
            "encrypted: put a proxy with TLS in front and add --allow-remote."
        )


def _bind(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, address = found[0]
        # The protocol said: asyncio turns Nagle's algorithm off for no other socket. With it the
        # second write of an answer waited 40 ms for the client's acknowledgement of the first.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those accepted inherit it
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # from here on nobody is refused; uvicorn only begins to accept
    except OSError as error:
        raise BadRequest(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose another --port "
            "(0 takes a free one)."
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
