"""The contract of `Embedder`, the same for every implementation."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tunewright import builtin
from tunewright.embedding import open_embedder
from tunewright.embedding.embedder import Embedder
from tunewright.errors import Corrupt

IMPLEMENTATIONS: dict[str, Path] = {"builtin-static": builtin.ROOT / "static"}
TEXTS = [
    "The cat sat on the mat.",
    "A kitten is sitting on a rug.",
    "The central bank raised interest rates.",
    "",
    "   \n\t ",
    "The cat sat on the mat.",
    "\U0001f9ff\ue000\ue001",
    "na\u00efve caf\u00e9, \u6771\u4eac, \u041f\u0440\u0438\u0432\u0435\u0442",
    "\x00\x01 control",
    "half a pair \ud800",
    "word " * 5000,
    "x" * 10_000,
]


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def opened(request: pytest.FixtureRequest) -> Callable[[], Embedder]:
    return lambda: open_embedder(IMPLEMENTATIONS[request.param])


@pytest.fixture(scope="module")
def embedder(opened: Callable[[], Embedder]) -> Embedder:
    return opened()


def test_every_vector_is_float32_finite_and_of_length_one(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS).vectors
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_alone_and_in_any_batch_gives_the_same_vector(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS).vectors
    backwards = embedder.embed(TEXTS[::-1]).vectors[::-1]
    alone = np.concatenate([embedder.embed([text]).vectors for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(backwards, alone, atol=1e-6)


def test_order_is_kept_over_many_internal_batches(embedder: Embedder) -> None:
    texts = [f"{TEXTS[i % 3]} {i}" for i in range(1500)]
    vectors = embedder.embed(texts).vectors
    for i in (0, 1, 255, 256, 257, 777, 1499):
        np.testing.assert_allclose(vectors[i], embedder.embed([texts[i]]).vectors[0], atol=1e-6)


def test_repetitions_each_have_their_row(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS).vectors
    np.testing.assert_array_equal(vectors[0], vectors[5])


def test_another_instance_gives_the_same_vectors(
    embedder: Embedder, opened: Callable[[], Embedder]
) -> None:
    np.testing.assert_array_equal(opened().embed(TEXTS).vectors, embedder.embed(TEXTS).vectors)


def test_threads_may_share_one_instance(embedder: Embedder) -> None:
    expected = embedder.embed(TEXTS).vectors
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: embedder.embed(TEXTS).vectors, range(16)):
            np.testing.assert_array_equal(found, expected)


def test_count_agrees_with_embed_and_nothing_is_cut(embedder: Embedder) -> None:
    tokens = embedder.embed(TEXTS).tokens
    assert embedder.count(TEXTS) == tokens
    assert tokens[10] >= 5000
    assert all(isinstance(count, int) for count in tokens)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    found = embedder.embed([])
    assert found.vectors.shape == (0, embedder.dimensions)
    assert found.tokens == embedder.count([]) == []


def test_what_is_no_text_is_a_type_error(embedder: Embedder) -> None:
    with pytest.raises(TypeError):
        embedder.embed(["a", 5])  # type: ignore[list-item]


def test_like_texts_are_nearer_than_unlike_ones(embedder: Embedder) -> None:
    cat, kitten, bank = embedder.embed(TEXTS[:3]).vectors
    assert cat @ kitten > cat @ bank + 0.1


def test_a_changed_file_is_named(opened: Callable[[], Embedder], tmp_path: Path) -> None:
    for directory in IMPLEMENTATIONS.values():
        copy = tmp_path / directory.name
        copy.mkdir()
        for file in directory.iterdir():
            if file.is_file():
                (copy / file.name).write_bytes(file.read_bytes())
        changed = bytearray((copy / "tokenizer.json").read_bytes())
        changed[1000] ^= 1
        (copy / "tokenizer.json").write_bytes(changed)
        with pytest.raises(Corrupt, match=r"tokenizer\.json"):
            open_embedder(copy)
