"""Files of many organisations read into vector stores by one worker."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tunewright.app import Acting, Tunewright
from tunewright.errors import BadRequest
from tunewright.records.embeddings import too_long
from tunewright.records.vector_store_files import VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources import store_models
from tunewright.resources.ingestion import Ingestion
from tunewright.work import ingest, turn, worker
from tunewright.work.worker import Worker

MODEL = {"embedding_model": "builtin-static"}
SIZES = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}
STATIC = {"chunking_strategy": {"type": "static", "static": SIZES}}


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    tw = Tunewright(tmp_path / "home")
    yield tw
    tw.close()


@contextmanager
def working(tw: Tunewright) -> Iterator[None]:
    lanes = Worker(tw, "w1", lanes=("ingest", "tidy"))
    thread = threading.Thread(target=lanes.run)
    thread.start()
    try:
        yield
    finally:
        lanes.stopping.set()
        thread.join()


def filled(acting: Acting, texts: list[str], **more: object) -> str:
    files = acting.files
    ids = [files.create(file=t.encode(), filename="a.txt", purpose="assistants").id for t in texts]
    return acting.vector_stores.create(file_ids=ids, **MODEL, **more).id


def read(acting: Acting, store: str) -> VectorStore:
    for _ in range(1200):
        found = acting.vector_stores.retrieve(store)
        if found.status == "completed":
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def files(acting: Acting, store: str) -> list[VectorStoreFile]:
    return acting.vector_stores.files.list(store, limit=100).data


def held(tw: Tunewright, store: str) -> list[str]:
    """Chunks of a store that are in the index; the texts are those of the same."""
    chunks = tw.contents.chunks(store)
    ids = tw.contents.index.read(store).ids
    assert sorted(id for file in chunks.files() for id in chunks.ids(file)) == ids
    return ids


def test_small_files_are_read_together_and_others_have_their_turn(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = tw.acting(tw.owner), tw.acting(tw.access.create_organisation("other"))
    rounds: list[tuple[str, int]] = []
    keep = Ingestion.keep

    def kept(self: Ingestion, store: VectorStore, portion: list, vectors: object) -> None:
        rounds.append((store.name, len(portion)))
        keep(self, store, portion, vectors)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Ingestion, "keep", kept)
    monkeypatch.setattr(ingest, "MOST_TOGETHER", 8)
    many = filled(mine, [f"text {n} tells of taffy" for n in range(20)], name="many")
    few = filled(other, ["one text", "another text"], name="few")
    with working(tw):
        assert read(mine, many).file_counts.completed == 20
        assert read(other, few).file_counts.completed == 2
    assert rounds[:2] == [("many", 8), ("few", 2)]
    assert Counter(name for name, _ in rounds) == {"many": 3, "few": 1}


def test_a_long_file_lets_others_in_and_is_read_once(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = tw.acting(tw.owner), tw.acting(tw.access.create_organisation("other"))
    monkeypatch.setattr(ingest, "AT_ONCE", 400)
    monkeypatch.setattr(ingest, "SMALL_BYTES", 20_000)
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.01)
    readings: list[str] = []
    reading = Ingestion.read

    def noted(self: Ingestion, file: VectorStoreFile, *more: object) -> object:
        readings.append(file.vector_store_id)
        return reading(self, file, *more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Ingestion, "read", noted)
    text = "".join(f"Sentence {n} tells of taffy. " for n in range(2000))
    long, short = filled(mine, [text], **STATIC), filled(other, ["short"])
    with working(tw):
        read(other, short)
        assert mine.vector_stores.retrieve(long).status == "in_progress"
        [file] = files(mine, long)
        changed = {"attributes": {"changed": True}}
        mine.vector_stores.files.update(file.id, vector_store_id=long, **changed)
        read(mine, long)
    assert readings == [long, short]
    chunks = tw.contents.chunks(long)
    assert b"".join(c.text.encode() for c in chunks.of(file.id)).count(b"taffy") == 2000
    where = {"type": "eq", "key": "changed", "value": True}
    found = mine.vector_stores.search(long, query="taffy", filters=where, max_num_results=50).data
    assert len(found) == 50
    assert len(held(tw, long)) > 100


def test_what_ends_its_worker_fails_alone(tw: Tunewright, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = store_models.Texts.embedded
    made = store_models.Texts.__init__
    given: list[str] = []

    def init(self: store_models.Texts, embedder: object, texts: list[str], side: str) -> None:
        given[:] = texts
        made(self, embedder, texts, side)  # pyright: ignore[reportArgumentType]

    def breaks(self: store_models.Texts, submit: object) -> object:
        if any("poison" in text for text in given):
            raise RuntimeError("poison")
        return embedded(self, submit)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(store_models.Texts, "__init__", init)
    monkeypatch.setattr(store_models.Texts, "embedded", breaks)
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.0)
    store = filled(tw, ["good", "poison", "better"])
    with working(tw):
        counts = read(tw, store).file_counts
        assert (counts.completed, counts.failed) == (2, 1)
        [bad] = [file for file in files(tw, store) if file.status == "failed"]
        assert bad.last_error is not None
        assert bad.last_error.code == "server_error"
        assert "3 times in a row" in bad.last_error.message
        for _ in range(100):
            if not tw.tasks.subjects("remove-vectors", tw.owner.organisation):
                break
            time.sleep(0.05)
    assert len(held(tw, store)) == 2


def test_a_file_that_is_taken_out_while_it_is_read_is_gone(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "AT_ONCE", 400)
    text = "".join(f"Sentence {n} tells of taffy. " for n in range(2000))
    store = filled(tw, [text, "stays"], **STATIC)
    [doomed] = [f for f in files(tw, store) if tw.files.retrieve(f.id).bytes > 10_000]
    chunks = tw.contents.chunks(store)
    with working(tw):
        for _ in range(3000):
            if len(chunks.ids(doomed.id)) >= 10:
                break
            time.sleep(0.01)
        tw.files.delete(doomed.id)
        read(tw, store)
        for _ in range(200):
            if not tw.tasks.subjects("remove-vectors", tw.owner.organisation):
                break
            time.sleep(0.05)
        assert [each.file for each in map(chunks.begun, chunks.files()) if each] != [doomed.id]
        assert len(held(tw, store)) == 1
        assert tw.vector_stores.retrieve(store).file_counts.total == 1


def test_vectors_of_a_model_that_has_changed_are_not_compared(tw: Tunewright) -> None:
    store = filled(tw, ["taffy"])
    with working(tw):
        read(tw, store)
        [file] = files(tw, store)
        embedding = tw.vector_stores.retrieve(store).embedding
        other = {"embedding": embedding.model_copy(update={"fingerprint": "another"})}
        tw.shelf.change(VectorStore, store, lambda it: it.model_copy(update=other))
        with pytest.raises(BadRequest) as refused:
            tw.vector_stores.search(store, query="taffy")
        assert refused.value.code == "embedding_model_changed"
        assert f"tunewright vectors reembed {store} --model MODEL" in refused.value.message
        tw.vector_stores.files.create(store, file_id=file.id)
        read(tw, store)
        [failed] = files(tw, store)
        assert failed.last_error is not None
        assert "is another one now" in failed.last_error.message
        tw.vector_stores.files.create(store, file_id=file.id)
        made = tw.vector_stores.reembeddings.create(store, model="builtin-static")
        assert tw.vector_stores.reembeddings.wait(made.id).status == "succeeded"
        tw.vector_stores.files.create(store, file_id=file.id)
        read(tw, store)
        assert len(tw.vector_stores.search(store, query="taffy").data) == 1


def test_chunks_that_the_model_refuses_fail_their_file(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose inputs may not be longer than it reads at once."""
    embedded = Ingestion.embedded

    def refused(self: Ingestion, embedder: object, portion: list) -> object:
        if any(chunk.tokens > 50 for _, chunks in portion for chunk in chunks):
            raise too_long("60", 50)
        return embedded(self, embedder, portion)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Ingestion, "embedded", refused)
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.0)
    store = filled(tw, ["short", "taffy " * 60, "as short"])
    with working(tw):
        counts = read(tw, store).file_counts
    assert (counts.completed, counts.failed) == (2, 1)
    [bad] = [file for file in files(tw, store) if file.status == "failed"]
    assert bad.last_error is not None
    assert "maximum context length is 50 tokens" in bad.last_error.message
