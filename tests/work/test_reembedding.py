"""A store whose texts are embedded by another model: searched by the old vectors until the new ones
are complete, and then as if it had been made with that model."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tunewright.app import Tunewright
from tunewright.errors import BadRequest, NotFound
from tunewright.resources import embedding_anew
from tunewright.resources.store_contents import collections
from tunewright.work.worker import Worker

STATIC = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50},
}


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    tw = Tunewright(tmp_path / "home")
    yield tw
    tw.close()


class Working:
    """A worker that reads files and embeds anew, in threads of this process."""

    def __init__(self, tw: Tunewright) -> None:
        self.worker = Worker(tw, "w1", lanes=("ingest", "tidy"))
        self.thread = threading.Thread(target=self.worker.run)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.worker.stopping.set()
        self.thread.join()


def filled(tw: Tunewright, model: str) -> tuple[str, list[str]]:
    texts = [
        "".join(f"Sentence {n} of text {text} tells of taffy. " for n in range(60))
        for text in range(3)
    ]
    ids = [
        tw.files.create(file=text.encode(), filename=f"{at}.txt", purpose="assistants").id
        for at, text in enumerate(texts)
    ]
    files = [{"file_id": id, "attributes": {"at": at}} for at, id in enumerate(ids)]
    store = tw.vector_stores.create(embedding_model=model).id
    batch = tw.vector_stores.file_batches.create(
        store, files=[{**file, "chunking_strategy": STATIC} for file in files]
    )
    assert tw.vector_stores.file_batches.poll(batch.id, vector_store_id=store).status == "completed"
    return store, ids


def until(done: Callable[[], bool]) -> None:
    """What the worker does afterwards."""
    for _ in range(200):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it is still there")


def results(tw: Tunewright, store: str, **more: object) -> list[tuple[str, float]]:
    found = tw.vector_stores.search(store, query="taffy 3", max_num_results=50, **more).data
    return [(each.content[0].text, round(each.score, 4)) for each in found]


def test_a_store_changes_over_when_all_is_there(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_anew, "AT_ONCE", 8)
    anew = tw.vector_stores.reembeddings
    with Working(tw):
        store, ids = filled(tw, "builtin-mini")
        before, old = results(tw, store), tw.vector_stores.retrieve(store)
        with pytest.raises(BadRequest, match="are by `builtin-mini` already"):
            anew.create(store, model="builtin-mini")
        made = anew.create(store, model="builtin-static")
        with pytest.raises(BadRequest, match=f"is being embedded anew .*{made.id}"):
            anew.create(store, model="builtin-static")
        seen = []
        for progress in anew.follow(made.id, seconds=0.01):
            seen.append((progress.done, progress.chunks))
            if progress.status == "running" and len(seen) == 2:
                assert results(tw, store) == before
                tw.vector_stores.files.update(ids[0], vector_store_id=store, attributes={"at": 7})
                tw.vector_stores.files.delete(ids[1], vector_store_id=store)
        assert anew.retrieve(made.id).status == "succeeded", anew.retrieve(made.id).error
        now = tw.vector_stores.retrieve(store)
        assert (now.embedding.model, now.embedding.dimensions) == ("builtin-static", 256)
        assert now.embedding_model == "builtin-static"
        assert now.usage_bytes == sum(
            file.usage_bytes for file in tw.vector_stores.files.list(store).data
        )
        other, others = filled(tw, "builtin-static")
        tw.vector_stores.files.delete(others[1], vector_store_id=other)
        assert sorted(results(tw, store)) == sorted(results(tw, other))
        assert now.usage_bytes == tw.vector_stores.retrieve(other).usage_bytes
        sevens = results(tw, store, filters={"type": "eq", "key": "at", "value": 7})
        assert {text.split()[4] for text, _ in sevens} == {"0"}
        first, second = collections(store)
        assert now.embedding.collection_of(store) == second != old.embedding.collection_of(store)
        until(lambda: not (tw.home.vector_store(first) / "index.db").exists())
        back = anew.create(store, model="builtin-mini")
        assert anew.wait(back.id).status == "succeeded"
        rest = [pair for pair in before if " text 1 " not in pair[0]]
        assert sorted(results(tw, store)) == sorted(rest)
        tw.vector_stores.delete(store)
        until(lambda: not list(tw.home.vectors.glob(f"{store}*")))


def test_one_that_is_cancelled_or_cannot_be_leaves_the_store(tw: Tunewright) -> None:
    anew = tw.vector_stores.reembeddings
    with Working(tw):
        store, _ = filled(tw, "builtin-static")
        before = results(tw, store)
    with pytest.raises(NotFound):
        anew.create(store, model="none")
    made = anew.create(store, model="builtin-mini")
    assert anew.cancel(made.id).status == "cancelled"
    with pytest.raises(BadRequest, match="has ended already"):
        anew.cancel(made.id)
    with Working(tw):
        assert results(tw, store) == before
        tw.vector_stores.delete(store)
    with pytest.raises(NotFound):
        anew.retrieve(made.id)
