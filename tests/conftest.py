"""Fixtures that tests of every folder share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers import Server, chats, start_server

# Two workers on a few cores, each with threads that wait for one another: tiny models take ten
# times as long. Read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests that compare numbers mean float32's rounding, also where the processor is fast in bfloat16.
# Those that are marked bfloat16 choose that, on whatever processor.
os.environ["TUNEWRIGHT_COMPUTE_DTYPE"] = "float32"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave no trace others could stumble over."""
    running = start_server(tmp_path_factory.mktemp("shared") / "home")
    yield running
    running.stop()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers on the test's own home, and ends those that still run."""
    started: list[Server] = []

    def start(**options: str) -> Server:
        started.append(start_server(tmp_path / "home", **options))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture(scope="session")
def tuned(server: Server) -> dict:
    """A job that has succeeded: twelve chats, two epochs, with a validation file."""
    rows = chats(12)
    return server.wait(
        server.job(
            model="gpt-3.5-turbo",
            training_file=server.upload(rows),
            validation_file=server.upload(chats(3)),
            suffix="Tests",
            seed=7,
            metadata={"purpose": "tests"},
            hyperparameters={"n_epochs": 2, "batch_size": 4},
        )["id"]
    )


def pytest_report_header(config: pytest.Config) -> str:
    from tunewright.weights import libraries

    if config.getoption("numprocesses", None):  # this process runs no test itself
        libraries.load()

    import torch
    import transformers

    from tunewright.weights.base import compute_dtype, fastest_dtype

    kinds = ("avx", "amx", "fma", "neon", "sve", "bf16")
    able = [name for name, has in torch.cpu.get_capabilities().items() if has is True]
    capable = sorted(name for name in able if name.startswith(kinds))
    return (
        f"torch {torch.__version__}, transformers {transformers.__version__}\n"
        f"processor: {torch.backends.cpu.get_cpu_capability()}, {', '.join(capable)}\n"
        f"computed in {compute_dtype()} (this processor's own: {fastest_dtype()}), and in "
        "torch.bfloat16 where tests are marked so"
    )
