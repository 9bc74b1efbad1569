"""The process that all others are forked from, one engine, and what a calm run gives."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from killing import Place, place
from zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with TemporaryDirectory() as folder:  # the address of a socket must be short
        zygote = Zygote(Path(folder))
        yield zygote
        zygote.close()


@pytest.fixture(scope="session")
def new_place(zygote: Zygote) -> Iterator[Callable[..., AbstractContextManager[Place]]]:
    """Makes homes that share an engine: ``with new_place(root, lease_seconds=1) as place``."""
    with TemporaryDirectory() as folder:
        socket = Path(folder) / "engine"
        engine = zygote.fork(
            "tunewright.serving",
            "--watch-stdin",
            "--socket",
            str(socket),
            log=Path(folder) / "log",
        )
        while not socket.exists():
            assert engine.poll() is None, (Path(folder) / "log").read_text()
            time.sleep(0.05)
        yield partial(place, zygote, socket)
        engine.kill()
        os.close(engine.stdin)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="session")
def calm(
    new_place: Callable[..., AbstractContextManager[Place]],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The digest of the weights of an undisturbed run."""
    with new_place(tmp_path_factory.mktemp("calm") / "home") as place:
        place.worker("worker")
        job = place.job()
        place.until(job)
        digest = place.digest()
        assert place.wrong(job, digest) == []
        return digest
