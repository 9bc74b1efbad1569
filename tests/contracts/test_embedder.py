"""The contract of `Embedder`, the same for every implementation."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

import tiny_encoders
from distributions import PACKAGES, installed
from embedding import sentence_models
from servers import Server
from tunewright import builtin, durable
from tunewright.embedding import open_embedder
from tunewright.embedding.chosen import PRECISIONS
from tunewright.embedding.embedder import Embedder
from tunewright.embedding.long import embed_long
from tunewright.embedding.onnx import OnnxEmbedder
from tunewright.errors import Corrupt
from tunewright.home import Home
from tunewright.quantizing.making import write
from tunewright.quantizing.products import products
from tunewright.serving.client import EngineClient
from tunewright.serving.remote import EngineEncoder

TORCH = "by torch in the engine"
# A model's directory, and what its config.json says besides.
IMPLEMENTATIONS: dict[str, tuple[Path, dict]] = {
    "builtin-mini": (builtin.MINI, {}),
    "builtin-static": (builtin.STATIC, {}),
    "of 16 tokens": (
        builtin.STATIC,
        {"context": 16, "prompts": {"query": "Question:", "document": "A passage about"}},
    ),
    "of another package": (PACKAGES / "byte_grams" / "model", {}),
    TORCH: (Path(), {}),  # made here
}
if tried := os.environ.get("TRY_EMBEDDER"):  # a model of an engine that somebody is writing
    IMPLEMENTATIONS = {tried: (Path(tried), {})}
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
    "word " * 2500,  # more than either engine takes at once
    "x" * 10_000,
]


@pytest.fixture(scope="module", autouse=True)
def _another_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed("byte_grams", tmp_path_factory.mktemp("site")))
        yield


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, more = IMPLEMENTATIONS[request.param]
    if request.param == TORCH:
        return tiny_encoders.for_torch(tmp_path_factory.mktemp("embedder") / "model")
    copy = shutil.copytree(source, tmp_path_factory.mktemp("embedder") / "model")
    durable.write_json(copy / "config.json", durable.read_json(copy / "config.json") | more)
    durable.write_manifest(copy)
    return copy


@pytest.fixture(scope="module")
def encoder(server: Server) -> Iterator[EngineEncoder]:
    """The engine of a real server."""
    client = EngineClient(Home(server.home).socket)
    yield EngineEncoder(client)
    client.close()


@pytest.fixture(scope="module")
def opened(directory: Path, request: pytest.FixtureRequest) -> Callable[[], Embedder]:
    if durable.manifest(directory)["about"].get("embedding", {}).get("engine") != "torch":
        return lambda: open_embedder(directory)
    encoder: EngineEncoder = request.getfixturevalue("encoder")
    return lambda: open_embedder(directory, encoder=encoder)


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


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_transformer_gives_a_text_the_same_vector_in_any_batch(
    precision: str, tmp_path: Path
) -> None:
    """In int8 too: each row has a scale of its own."""
    directory = sentence_models.encoder(tmp_path / "model")
    embedder = OnnxEmbedder(directory, 1)
    ids = [each[:200] for each in embedder.tokenize([*TEXTS, "x", "loud! " * 90])]
    if precision == "fast":
        model = onnx.load(directory / "onnx" / "model.onnx")
        fast = directory / "onnx" / "fast.onnx"
        write(model, products(model.graph), embedder, ids, fast, 127)
        embedder = OnnxEmbedder(directory, 1, "onnx/fast.onnx")
    together = embedder.embed_tokens(ids)
    alone = np.concatenate([embedder.embed_tokens([each]) for each in ids])
    assert np.einsum("ij,ij->i", together, alone).min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_order_is_kept_over_many_internal_batches(embedder: Embedder) -> None:
    texts = [f"{TEXTS[i % 3]} {i}" for i in range(600)]
    vectors = embedder.embed(texts).vectors
    for i in (0, 1, 255, 256, 257, 511, 599):
        np.testing.assert_allclose(vectors[i], embedder.embed([texts[i]]).vectors[0], atol=1e-6)


def test_repetitions_each_have_their_row(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS).vectors
    np.testing.assert_array_equal(vectors[0], vectors[5])


def test_another_instance_gives_the_same_vectors(
    embedder: Embedder, opened: Callable[[], Embedder]
) -> None:
    np.testing.assert_array_equal(opened().embed(TEXTS).vectors, embedder.embed(TEXTS).vectors)


def test_threads_may_share_one_instance(embedder: Embedder) -> None:
    expected = embedder.embed(TEXTS[:10]).vectors
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: embedder.embed(TEXTS[:10]).vectors, range(16)):
            np.testing.assert_array_equal(found, expected)


def test_count_agrees_with_embed_and_nothing_is_cut(embedder: Embedder) -> None:
    tokens = embedder.embed(TEXTS).tokens
    assert embedder.count(TEXTS) == tokens
    assert tokens[10] >= 2500
    assert all(isinstance(count, int) for count in tokens)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    found = embedder.embed([])
    assert found.vectors.shape == (0, embedder.dimensions)
    assert found.tokens == embedder.count([]) == []


def test_what_is_no_text_is_a_type_error(embedder: Embedder) -> None:
    with pytest.raises(TypeError):
        embedder.embed(["a", 5])  # type: ignore[list-item]


def test_like_texts_are_nearer_than_unlike_ones(embedder: Embedder, directory: Path) -> None:
    """By meaning; one that nobody has trained at least by spelling."""
    trained = durable.read_json(directory / "config.json").get("engine") in (
        "static",
        "transformer",
    )
    like = TEXTS[1] if trained else "A cat sat on a mat."
    cat, kitten, bank = embedder.embed([TEXTS[0], like, TEXTS[2]]).vectors
    assert cat @ kitten > cat @ bank + 0.1


def test_ids_are_of_the_vocabulary_and_give_what_their_text_gives(embedder: Embedder) -> None:
    ids = embedder.tokenize(TEXTS)
    assert [len(each) for each in ids] == embedder.count(TEXTS)
    assert all(0 <= id < embedder.vocabulary for each in ids for id in each)
    assert embedder.tokenize([]) == []
    most = embedder.declared.context or 10**9
    short = [text for text, each in zip(TEXTS, ids, strict=True) if len(each) <= most]
    assert len(short) >= 8
    from_ids = embedder.embed_tokens(embedder.tokenize(short))
    assert from_ids.dtype == np.float32
    np.testing.assert_allclose(from_ids, embedder.embed(short).vectors, atol=1e-6)
    assert embedder.embed_tokens([]).shape == (0, embedder.dimensions)


def test_what_is_longer_than_the_context_is_the_mean_of_equal_chunks(embedder: Embedder) -> None:
    context = embedder.declared.context
    lengths = embedder.count(TEXTS)
    found = embedder.embed(TEXTS)
    if context is None:
        assert found.chunked == 0
        return
    assert found.chunked == sum(length > context for length in lengths) > 0
    [once] = embedder.tokenize([" ".join(TEXTS[:3])])
    ids = once * (context // len(once) + 1)
    assert context < len(ids) <= 2 * context
    middle = len(ids) // 2
    first, second = embedder.embed_tokens([ids[:middle], ids[middle:]])
    mean = first * middle + second * (len(ids) - middle)
    vector = embed_long(embedder, [ids]).vectors[0]
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_a_prompt_goes_before_each_chunk_and_is_not_counted(embedder: Embedder) -> None:
    for prompt in map(embedder.tokenize, [[text] for text in embedder.declared.prompts.values()]):
        [ids] = embedder.tokenize(["The cat sat on the mat, and the dog barked at the bank."])
        found = embed_long(embedder, [ids], prompt)
        middle = len(ids) // 2
        rows = embedder.embed_tokens([prompt[0] + ids[:middle], prompt[0] + ids[middle:]])
        mean = rows[0] * middle + rows[1] * (len(ids) - middle)
        np.testing.assert_allclose(found.vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
        assert found.tokens == [len(ids)]
        assert found.chunked == 1


def test_what_is_declared_fits_the_vectors(embedder: Embedder) -> None:
    assert embedder.declared.dimensions == embedder.dimensions
    assert set(embedder.declared.prompts) <= {"query", "document"}


@pytest.mark.parametrize(
    ("name", "value"), [("dimensions", 0), ("context", 0), ("prefixes", 1), ("prompts", {"q": 1})]
)
def test_a_wrong_declaration_is_named(
    directory: Path, tmp_path: Path, name: str, value: object
) -> None:
    if not durable.read_json(directory / "config.json").get("engine"):
        pytest.skip("its config.json is its makers'")
    copy = shutil.copytree(directory, tmp_path / "model")
    durable.write_json(
        copy / "config.json", durable.read_json(copy / "config.json") | {name: value}
    )
    durable.write_manifest(copy)
    with pytest.raises(Corrupt, match=name):
        open_embedder(copy)


def test_a_changed_file_is_named(directory: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(directory, tmp_path / "model")
    file = next(copy / name for name in ("tokenizer.json", "config.json") if (copy / name).exists())
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    with pytest.raises(Corrupt, match=re.escape(file.name)):
        open_embedder(copy)
