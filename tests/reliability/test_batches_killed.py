"""SIGKILL of worker, engine and server in the midst of a batch: its files are those of an
undisturbed run, byte for byte, and each request is answered and counted once."""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from killing import Place

from servers import Server
from tunewright.app import Tunewright
from tunewright.records.batches import ENDED, Batch
from tunewright.records.keys import KeyRequest
from tunewright.tasks import KINDS

New = Callable[..., AbstractContextManager[Place]]
EMBED = {"model": "builtin-mini"}
COUNT = 200


def request(number: int, endpoint: str) -> bytes:
    """Every tenth one is wrong in itself."""
    text = f"review {number}: great taffy"
    if endpoint == "/v1/embeddings":
        body: dict = {**EMBED, "input": text if number % 10 else ""}
    else:
        messages = [{"role": "user", "content": text}]
        body = {"model": "gpt-3.5-turbo", "messages": messages, "max_tokens": 12}
        body |= {"temperature": 0} if number % 10 else {"n": 0}
    named = {"custom_id": f"row-{number}", "method": "POST", "url": endpoint, "body": body}
    return json.dumps(named).encode() + b"\n"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, Path]]:
    """Copies of a home whose batch nobody has looked at yet: the same batch, as often as wanted."""
    made: dict[str, tuple[str, Path]] = {}

    def make(endpoint: str, target: Path) -> tuple[str, Path]:
        if endpoint not in made:
            root = tmp_path_factory.mktemp("batch") / "home"
            tw = Tunewright(root)
            lines = b"".join(request(number, endpoint) for number in range(COUNT))
            file = tw.files.create(file=lines, purpose="batch")
            given = {"endpoint": endpoint, "completion_window": "24h"}
            id = tw.batches.create(input_file_id=file.id, **given).id
            tw.access.create_key(tw.owner, KeyRequest(name="tests"))
            tw.close()
            made[endpoint] = id, root
        id, root = made[endpoint]
        shutil.copytree(root, target)
        return id, target

    return make


def until(place: Place, id: str, *, restart: bool = True) -> Batch:
    """The batch, once it has ended. Dead workers are replaced, as a server does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = place.tw.batches.retrieve(id)
        if found.status in ENDED:
            return found
        for name, worker in list(place.workers.items()):
            if restart and worker.poll() is not None:
                del place.workers[name]
                place.tw.tasks.release_of_dead(name)
                place.worker(f"{name}+")
        time.sleep(0.02)
    raise AssertionError(f"{id} is still {found.status}\n{place.log.read_text()[-3000:]}")


def files(tw: Tunewright, id: str) -> tuple[bytes, bytes]:
    return tuple(b"".join(tw.batches.result_lines(id, errors=bad)) for bad in (False, True))  # pyright: ignore[reportReturnType]


def wrong(tw: Tunewright, id: str, expected: tuple[bytes, bytes]) -> list[str]:
    batch, faults = tw.batches.retrieve(id), []
    if batch.status != "completed":
        return [batch.status]
    counts = batch.request_counts
    if (counts.total, counts.completed, counts.failed) != (COUNT, COUNT * 9 // 10, COUNT // 10):
        faults.append(f"counts {counts}")
    found = files(tw, id)
    if found != expected:
        faults.append("other files")
    usage = [json.loads(line)["response"]["body"]["usage"] for line in found[0].splitlines()]
    if batch.usage.total_tokens != sum(each["total_tokens"] for each in usage):
        faults.append(f"usage {batch.usage}")
    if len(tw.files.list(purpose="batch_output").data) != 2:
        faults.append("files are there twice")
    for _ in range(100):  # the folder goes after the record
        if not tw.home.batch(id).exists():
            break
        time.sleep(0.05)
    if list(tw.home.root.rglob("*.tmp-*")) or tw.home.batch(id).exists():
        faults.append("litter")
    return faults


@pytest.fixture(scope="session")
def calm_files(
    new_place: New,
    homes: Callable[..., tuple[str, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[bytes, bytes]:
    id, root = homes("/v1/embeddings", tmp_path_factory.mktemp("calm-batch") / "home")
    with new_place(root) as place:
        place.worker("worker")
        until(place, id)
        found = files(place.tw, id)
        assert wrong(place.tw, id, found) == []
        numbers = [int(json.loads(line)["custom_id"][4:]) for line in found[0].splitlines()]
        assert numbers == [n for n in range(COUNT) if n % 10], "in the order of the requests"
        return found


@pytest.mark.parametrize("fault", ["batch.kept:2", "batch.written"])
def test_killed_at(
    new_place: New,
    homes: Callable[..., tuple[str, Path]],
    calm_files: tuple[bytes, bytes],
    tmp_path: Path,
    fault: str,
) -> None:
    id, root = homes("/v1/embeddings", tmp_path / "home")
    with new_place(root) as place:
        first = place.worker("worker", TUNEWRIGHT_FAULT=f"{fault}:kill")
        until(place, id)
        assert first.wait(10) == -signal.SIGKILL, "the fault never struck"
        assert wrong(place.tw, id, calm_files) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random(
    new_place: New,
    homes: Callable[..., tuple[str, Path]],
    calm_files: tuple[bytes, bytes],
    tmp_path: Path,
    seed: int,
) -> None:
    chance = random.Random(seed)
    id, root = homes("/v1/embeddings", tmp_path / "home")
    with new_place(root) as place:
        place.worker("worker")
        assert KINDS["batch"].attempts == 3
        for _ in range(2):
            time.sleep(0.3 + chance.random() * 0.7)
            next(iter(place.workers.values())).kill()
            time.sleep(0.1)
            if place.tw.batches.retrieve(id).status in ENDED:
                break
            for name in list(place.workers):
                del place.workers[name]
                place.tw.tasks.release_of_dead(name)
                place.worker(f"{name}+")
        until(place, id)
        assert wrong(place.tw, id, calm_files) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_is_killed_goes_on(
    new_server: Callable[..., Server],
    homes: Callable[..., tuple[str, Path]],
    tmp_path: Path,
) -> None:
    """Chats: worker, engine and server die, each in the midst of it."""
    id, root = homes("/v1/chat/completions", tmp_path / "calm")
    with Tunewright(root) as tw:
        tw.batches.wait(id)
        expected = files(tw, id)
        assert wrong(tw, id, expected) == []
    id, root = homes("/v1/chat/completions", tmp_path / "home")
    key = "not needed"
    tw = Tunewright(root)

    def until_answered(count: int) -> None:
        for _ in range(2400):
            counts = tw.batches.retrieve(id).request_counts
            if counts.completed + counts.failed >= count:
                return
            time.sleep(0.05)
        raise AssertionError(f"never came to {count}")

    server = new_server(key=key)
    until_answered(20)
    server.child("tunewright.work").kill()
    until_answered(50)
    server.child("tunewright.serving").kill()
    until_answered(80)
    server.stop(signal.SIGKILL)
    server = new_server(key=key)
    until_answered(110)
    server.child("tunewright.work").kill()
    assert tw.batches.wait(id).status == "completed"
    assert wrong(tw, id, expected) == []
    tw.close()
