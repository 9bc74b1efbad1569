"""SIGKILL of worker and server while files are read into vector stores: each chunk is there once,
in the index and by its words, and nothing else is."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from killing import Place

from servers import Server
from tunewright.app import Tunewright
from tunewright.records.keys import KeyRequest
from tunewright.records.vector_stores import VectorStore
from tunewright.tasks import KINDS

New = Callable[..., AbstractContextManager[Place]]
SMALL, LONG = 12, 3000  # files; sentences of the one long file, which takes three calls
SIZES = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}
STATIC = {"type": "static", "static": SIZES}


def page(number: int) -> bytes:
    return f"# Page {number}\n\nThe word of page {number} is w{number}x. It is sweet.\n".encode()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[str, Path]]:
    """Copies of a home with a store whose files nobody has read yet."""
    root = tmp_path_factory.mktemp("stores") / "home"
    tw = Tunewright(root)
    long = "".join(f"Sentence {number} tells of taffy. " for number in range(LONG)).encode()
    files = {"long.txt": long, "empty.md": b" ", **{f"{n}.md": page(n) for n in range(SMALL)}}
    ids = [
        tw.files.create(file=data, filename=name, purpose="assistants").id
        for name, data in files.items()
    ]
    model = {"embedding_model": "builtin-static"}
    store = tw.vector_stores.create(file_ids=ids, chunking_strategy=STATIC, **model).id
    tw.access.create_key(tw.owner, KeyRequest(name="tests"))
    tw.close()

    def make(target: Path) -> tuple[str, Path]:
        shutil.copytree(root, target)
        return store, target

    return make


def until(place: Place, store: str) -> VectorStore:
    """The store, once its files are read. Dead workers are replaced, as a server does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = place.tw.vector_stores.retrieve(store)
        if found.status == "completed":
            return found
        restart(place)
        time.sleep(0.02)
    raise AssertionError(f"{found}\n{place.log.read_text()[-3000:]}")


def restart(place: Place) -> None:
    for name, worker in list(place.workers.items()):
        if worker.poll() is not None:
            del place.workers[name]
            place.tw.tasks.release_of_dead(name)
            place.worker(f"{name}+")


def held(tw: Tunewright, store: str) -> dict[str, tuple[str, np.ndarray]]:
    """Of each chunk the text and the vector; only if both places have the same."""
    chunks = tw.contents.chunks(store)
    texts = {chunk.id: chunk.text for file in chunks.files() for chunk in chunks.of(file)}
    rows = tw.contents.index.read(store, limit=100_000)
    assert rows.ids == sorted(texts), "the index and the texts differ"
    return {id: (texts[id], rows.vectors[at]) for at, id in enumerate(rows.ids)}


def wrong(tw: Tunewright, store: str, calm: dict[str, tuple[str, np.ndarray]]) -> list[str]:
    faults = []
    record = tw.vector_stores.retrieve(store)
    counts = record.file_counts
    if (counts.completed, counts.failed, counts.total) != (SMALL + 1, 1, SMALL + 2):
        faults.append(f"counts {counts}")
    files = tw.vector_stores.files.list(store, limit=100).data
    if record.usage_bytes != sum(file.usage_bytes for file in files):
        faults.append(f"usage {record.usage_bytes}")
    found = held(tw, store)
    if found.keys() != calm.keys() or any(found[id][0] != calm[id][0] for id in calm):
        faults.append(f"{len(found)} chunks, not {len(calm)}")
    elif not all(found[id][1] @ calm[id][1] > 0.9999 for id in calm):
        faults.append("other vectors")
    for number in range(SMALL):
        by_words = tw.contents.chunks(store).words(f"w{number}x", 9, lambda files: files)
        if len(by_words) != 1:
            faults.append(f"page {number} has {len(by_words)} chunks by its word")
    if litter := list(tw.home.root.rglob("*.tmp-*")):
        faults.append(f"litter {litter}")
    return faults


@pytest.fixture(scope="session")
def calm_store(
    new_place: New,
    filled: Callable[[Path], tuple[str, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[str, np.ndarray]]:
    store, root = filled(tmp_path_factory.mktemp("calm-store") / "home")
    with new_place(root) as place:
        place.worker("worker")
        until(place, store)
        found = held(place.tw, store)
        assert len(found) > SMALL + 50
        assert wrong(place.tw, store, found) == []
        return found


@pytest.mark.parametrize(
    "fault",
    [
        "ingest.indexed",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "ingest.recorded",
                "ingest.begun",
                "ingest.embedded",
                "ingest.kept",
                "ingest.kept:2",
            )
        ),
    ],
)
def test_killed_at(
    new_place: New,
    filled: Callable[[Path], tuple[str, Path]],
    calm_store: dict[str, tuple[str, np.ndarray]],
    tmp_path: Path,
    fault: str,
) -> None:
    store, root = filled(tmp_path / "home")
    with new_place(root) as place:
        first = place.worker("worker", TUNEWRIGHT_FAULT=f"{fault}:kill")
        until(place, store)
        assert first.wait(10) == -signal.SIGKILL, "the fault never struck"
        assert wrong(place.tw, store, calm_store) == []


@pytest.mark.slow
def test_what_was_to_be_removed_goes_after_a_kill(
    new_place: New, filled: Callable[[Path], tuple[str, Path]], tmp_path: Path
) -> None:
    store, root = filled(tmp_path / "home")
    with new_place(root) as place:
        first = place.worker("worker", TUNEWRIGHT_FAULT="vectors.deleted:kill")
        until(place, store)
        tw, files = place.tw, place.tw.vector_stores.files
        doomed = next(file for file in files.list(store, limit=100).data if file.usage_bytes > 9999)
        with tw.catalog.transaction():  # and then the server is killed
            tw.attachments.detach(doomed)
        for _ in range(400):
            restart(place)
            if not tw.tasks.subjects("remove-vectors", tw.owner.organisation):
                break
            time.sleep(0.05)
        assert first.wait(10) == -signal.SIGKILL, "the fault never struck"
        assert len(held(tw, store)) == SMALL
        assert b"tells of taffy" not in b"".join(
            path.read_bytes() for path in (root / "vectors").rglob("*") if path.is_file()
        )


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["reembed.kept:3", "reembed.embedded", "reembed.complete"])
def test_killed_while_it_is_embedded_anew(
    new_place: New,
    filled: Callable[[Path], tuple[str, Path]],
    calm_store: dict[str, tuple[str, np.ndarray]],
    tmp_path: Path,
    fault: str,
) -> None:
    """Texts as before, each with one vector, of the new model."""
    store, root = filled(tmp_path / "home")
    with new_place(root) as place:
        first = place.worker("worker", TUNEWRIGHT_FAULT=f"{fault}:kill")
        until(place, store)
        anew = place.tw.vector_stores.reembeddings
        made = anew.create(store, model="builtin-mini")
        deadline = time.monotonic() + 120
        while (found := anew.retrieve(made.id)).status in ("queued", "running"):
            restart(place)
            time.sleep(0.02)
            assert time.monotonic() < deadline, place.log.read_text()[-3000:]
        assert (found.status, found.done) == ("succeeded", len(calm_store))
        assert first.wait(10) == -signal.SIGKILL, "the fault never struck"
        rows = place.tw.contents.index.read(f"{store}-2", limit=100_000)
        assert rows.ids == sorted(calm_store)
        assert rows.vectors.shape == (len(calm_store), 384)
        texts = [calm_store[id][0] for id in rows.ids]
        embedder = place.tw.embedder(
            place.tw.models.weights("builtin-mini", ("embedding",)), place.tw.models
        )
        np.testing.assert_allclose(rows.vectors, embedder.embed(texts).vectors, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random(
    new_place: New,
    filled: Callable[[Path], tuple[str, Path]],
    calm_store: dict[str, tuple[str, np.ndarray]],
    tmp_path: Path,
    seed: int,
) -> None:
    chance = random.Random(seed)
    store, root = filled(tmp_path / "home")
    with new_place(root) as place:
        place.worker("worker")
        assert KINDS["ingest"].attempts == 3, "a file that ends more workers in a row has failed"
        for _ in range(2):
            time.sleep(0.2 + chance.random() * 2)
            next(iter(place.workers.values())).kill()
            time.sleep(0.1)
            restart(place)
        until(place, store)
        assert wrong(place.tw, store, calm_store) == []


@pytest.mark.slow
def test_a_server_that_is_killed_goes_on(
    new_server: Callable[..., Server],
    filled: Callable[[Path], tuple[str, Path]],
    calm_store: dict[str, tuple[str, np.ndarray]],
    tmp_path: Path,
) -> None:
    store, root = filled(tmp_path / "home")
    chance = random.Random(1)
    for _ in range(2):
        server = new_server(key="not needed")
        time.sleep(0.5 + chance.random() * 2)
        server.stop(signal.SIGKILL)
    new_server(key="not needed")
    tw = Tunewright(root)
    for _ in range(1200):
        if tw.vector_stores.retrieve(store).status == "completed":
            break
        time.sleep(0.1)
    assert wrong(tw, store, calm_store) == []
    tw.close()
