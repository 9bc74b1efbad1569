"""The chunks of a vector store: found by id and by words, and gone when they are removed."""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tunewright.chunks import Chunk, ChunkStore, Reading
from tunewright.chunks.words import expression
from tunewright.errors import Corrupt


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChunkStore]:
    made = ChunkStore(tmp_path / "vs_1" / "chunks.db")
    yield made
    made.close()


def chunk(file: str, number: int, text: str) -> Chunk:
    return Chunk(file, number, text, len(text.split()), 0, len(text.encode()), 3, "A heading")


def put(store: ChunkStore, *chunks: Chunk) -> None:
    store.begin([Reading(chunk.file, "task-1", chunk.number + 1) for chunk in chunks])
    store.put(chunks)


def anybody(files: set[str]) -> set[str]:
    return files


def on_disk(store: ChunkStore) -> bytes:
    return b"".join(path.read_bytes() for path in store.path.parent.iterdir())


def test_what_is_put_is_there_once(store: ChunkStore) -> None:
    assert (store.texts(["file-a-000000"]), store.of("file-a"), store.wipe()) == ({}, [], True)
    assert not store.path.exists()
    one, two = chunk("file-a", 0, "taffy"), chunk("file-a", 1, "salt water taffy")
    put(store, one, two, chunk("file-b", 0, "pretzels"))
    put(store, one, two)
    assert store.of("file-a") == [one, two]
    assert store.texts(["file-a-000001", "file-a-000009"]) == {two.id: two}
    assert (store.ids("file-a"), store.files()) == ([one.id, two.id], ["file-a", "file-b"])
    changed = chunk("file-a", 1, "liquorice")
    put(store, changed)
    assert store.words("water", 9, anybody) == []
    assert [id for id, _ in store.words("liquorice", 9, anybody)] == [changed.id]
    store.remove("file-a")
    assert (store.of("file-a"), store.files()) == ([], ["file-b"])
    assert store.words("taffy", 9, anybody) == []


def test_what_a_killed_reading_may_have_left_is_known(store: ChunkStore) -> None:
    assert store.begun("file-a") is None
    store.begin([Reading("file-a", "task-1", 3), Reading("file-b", "task-2", 1)])
    assert store.begun("file-a") == Reading("file-a", "task-1", 3)
    store.begin([Reading("file-a", "task-3", 2)])
    found = store.begun("file-a")
    assert found == Reading("file-a", "task-3", 3), "the first may have written three"
    assert found.ids == [f"file-a-{number:06}" for number in range(3)]
    store.remove("file-a")
    assert (store.begun("file-a"), store.files()) == (None, ["file-b"])


def bm25(texts: dict[str, str], query: str) -> list[tuple[str, float]]:
    words = {id: text.split() for id, text in texts.items()}
    mean = sum(map(len, words.values())) / len(words)
    found: Counter[str] = Counter()
    for term in set(query.split()):
        having = [id for id in words if term in words[id]]
        odds = (len(words) - len(having) + 0.5) / (len(having) + 0.5)
        weight = max(math.log(odds), 1e-6)
        for id in having:
            often, long = words[id].count(term), len(words[id]) / mean
            found[id] += weight * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * long))
    return sorted(found.items(), key=lambda item: -item[1])


LETTERS = some.lists(some.sampled_from("bcdfg"), min_size=1, max_size=8).map(" ".join)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=some.lists(LETTERS, min_size=1, max_size=8), query=LETTERS, k=some.integers(1, 9))
def test_scores_are_bm25(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str, k: int
) -> None:
    store = ChunkStore(tmp_path_factory.mktemp("bm25") / "chunks.db")
    put(store, *(chunk("file-a", at, text) for at, text in enumerate(texts)))
    put(store, chunk("file-b", 0, "nothing of it"))
    store.remove("file-b")
    found = store.words(query, k, anybody)
    expected = bm25({f"file-a-{at:06}": text for at, text in enumerate(texts)}, query)
    assert [score for _, score in found] == pytest.approx([score for _, score in expected[:k]])
    assert dict(found) == pytest.approx({id: dict(expected)[id] for id, _ in found})
    store.close()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=some.text()
    | some.text(alphabet='"*:^-+(){}.,\\ \0NEARORANDT\ud800東京é')
    | some.sampled_from(["a" * 100_000, "b" * 4000, 'x" OR words : "y', "-a", "NEAR(a b, 2)"])
)
def test_a_query_is_words_and_never_syntax(store: ChunkStore, query: str) -> None:
    if not store.path.exists():
        put(store, chunk("file-a", 0, "zq"))
    assert store.words(query, 3, anybody) == []
    assert [id for id, _ in store.words(f"{query} zq", 3, anybody)] == ["file-a-000000"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Refunds are given", "refund"),
        ("un café crème", "CAFE"),
        ("東京都に行く", "京都"),
        ("ภาษาไทย", "ไทย"),
        ("order E-1234/7", "e 1234"),
        ("हिन्दी में", "हिन्दी"),
    ],
)
def test_words_of_many_scripts(store: ChunkStore, text: str, query: str) -> None:
    put(store, chunk("file-a", 0, text), chunk("file-b", 0, "大阪 nothing else"))
    assert [id for id, _ in store.words(query, 9, anybody)] == ["file-a-000000"]


def test_neighbours_in_a_script_without_blanks() -> None:
    assert expression("東京都 x") == '"東 京" OR "京 都" OR "x"'


def test_only_files_that_are_wanted(store: ChunkStore) -> None:
    put(store, *(chunk(f"file-{name}", 0, "taffy " * at) for at, name in enumerate("abcd", 1)))
    found = store.words("taffy", 1, lambda files: files & {"file-a", "file-b"})
    assert [id for id, _ in found] in (["file-a-000000"], ["file-b-000000"])
    assert store.words("taffy", 9, lambda _: set()) == []


def test_what_is_removed_leaves_the_file(store: ChunkStore) -> None:
    """A word is stored behind what it shares with the one before it, so its end is looked for."""
    for file in "abcdef":
        words = [f"w{file}{n}" for n in range(400)]
        put(store, *(chunk(f"file-{file}", n, " ".join(words)) for n in range(3)))
    canary, end = "wc-unheard-of-canary", b"heard"
    put(store, chunk("file-x", 0, f"{canary} {canary}"), chunk("file-y", 0, "wc-unheard"))
    put(store, chunk("file-y", 0, "replaced"))
    assert end in on_disk(store)
    store.remove("file-x")
    assert end in on_disk(store), "removing alone is not enough, or this test sees nothing"
    assert store.wipe()
    assert end not in on_disk(store)
    assert [id for id, _ in store.words("wf399", 1, anybody)] == ["file-f-000000"]
    before = store.path.stat().st_mtime_ns
    assert store.wipe()
    assert store.path.stat().st_mtime_ns == before, "nothing was removed since"


def test_a_reader_keeps_the_log_and_wiping_says_so(store: ChunkStore) -> None:
    put(store, chunk("file-a", 0, "canary"))
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM chunks").fetchone()
    store.remove("file-a")
    assert not store.wipe()
    reader.close()
    assert store.wipe()
    assert b"canary" not in on_disk(store)


def test_a_damaged_file_is_named_and_left(store: ChunkStore) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"no database at all" * 300)
    with pytest.raises(Corrupt, match=r"chunks\.db is damaged .* make it anew from its files"):
        store.of("file-a")
    assert store.path.read_bytes() == b"no database at all" * 300
