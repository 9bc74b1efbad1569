"""Tables of token vectors as sentence-transformers and model2vec publish them.

The vectors of `model2vec` 0.10.0 and of `StaticEmbedding` of sentence-transformers 6.2 for these
files were compared with ours once; here the same is computed by hand.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedding import sentence_models as made
from tunewright import durable
from tunewright.embedding import open_embedder
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, Corrupt

UNKNOWN = 1
TEXTS = ["The cat sat on the mat.", "zebra cat zebra", "a", "cat " * 3000]


def opened(directory: Path) -> Embedder:
    durable.write_manifest(directory, Chosen("static").about)
    return open_embedder(directory)


def ids(directory: Path, text: str) -> list[int]:
    return made.tokenizer(directory.parent).encode(text, add_special_tokens=False).ids


def means(rows: Sequence[np.ndarray]) -> np.ndarray:
    found = np.stack([each.mean(0) for each in rows])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_static_embedding_is_the_mean_of_all_tokens(tmp_path: Path) -> None:
    model = made.static(tmp_path / "model")
    embedder = opened(model)
    expected = means([made.table()[ids(model, text)] for text in TEXTS])
    np.testing.assert_allclose(embedder.embed(TEXTS).vectors, expected, atol=1e-5)
    assert embedder.declared.context is None
    assert embedder.embed(TEXTS).tokens[0] == 7, "no special tokens"


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
def test_model2vec_leaves_unknown_tokens_out_and_weighs_the_others(
    tmp_path: Path, kind: type[np.floating]
) -> None:
    vectors = made.table(rows=5)
    rows = len(made.table())
    mapping = np.arange(rows) % 5
    weights = np.linspace(0.1, 2, rows)
    model = made.static(
        tmp_path / "model",
        embeddings=vectors.astype(kind),
        weights=weights.astype(kind),
        mapping=mapping.astype(np.int64),
    )
    known = [[id for id in ids(model, text) if id != UNKNOWN] for text in TEXTS]
    expected = means([vectors[mapping[each]] * weights[each, None] for each in known])
    found = opened(model).embed(TEXTS)
    np.testing.assert_allclose(found.vectors, expected, atol=5e-3 if kind is np.float16 else 1e-5)
    assert found.tokens[1] == 3, "they are counted all the same"


def test_a_text_of_unknown_tokens_only_has_a_vector_all_the_same(tmp_path: Path) -> None:
    model = made.static(tmp_path / "model", embeddings=made.table())
    vectors = opened(model).embed(["zebra", "", "cat"]).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_table_in_bfloat16_is_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    model = made.static(tmp_path / "model")
    half = torch.tensor(made.table()).bfloat16()
    save_file({"embedding.weight": half}, model / "model.safetensors")
    expected = means([half.float().numpy()[ids(model, text)] for text in TEXTS])
    np.testing.assert_allclose(opened(model).embed(TEXTS).vectors, expected, atol=1e-5)


def test_a_dense_after_a_table_is_of_the_mean(tmp_path: Path) -> None:
    model = made.static(tmp_path / "model")
    made.modules(model, "StaticEmbedding", "Dense")
    weight = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    made.dense(model / "1_Dense", weight, np.ones(3))
    rows = np.stack([made.table()[ids(model, text)].mean(0) for text in TEXTS])
    expected = np.tanh(rows @ weight.T + 1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(opened(model).embed(TEXTS).vectors, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"embedding.weight": made.table(rows=7)}, "7 vectors, and tokenizer.json has ids up to"),
        ({"embedding.weight": made.table() * np.nan}, "of finite numbers"),
        ({"weights": made.table()}, r"no embedding\.weight and no embeddings"),
        ({"embeddings": made.table(), "weights": np.ones(3)}, "`weights` are fewer than"),
        ({"embeddings": made.table(), "mapping": np.full(99, 40)}, "ids up to 40"),
        ({"embeddings": made.table(), "mapping": np.full(99, -1)}, "Use the table and the tok"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    tmp_path: Path, tensors: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises((Corrupt, BadRequest), match=said):
        opened(made.static(tmp_path / "model", **tensors))
