"""What is particular to token vectors; the rest is the contract's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tunewright import durable
from tunewright.embedding import open_embedder
from tunewright.errors import Corrupt

WORDS = ["[UNK]", "red", "green", "blue", "the"]


def write(directory: Path, **changed: np.ndarray) -> Path:
    """Four known words in two dimensions, with truncation and padding baked in as by others."""
    directory.mkdir()
    vectors = np.array([[9, 9], [100, 0], [0, 100], [-100, 0], [10, 10]], np.int8)
    scales = np.array([0, 0.01, 0.02, 0.01, 0.001], np.float32)
    np.save(directory / "vectors.npy", changed.get("vectors", vectors))
    np.save(directory / "scales.npy", changed.get("scales", scales))
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(directory / "tokenizer.json"))
    durable.write_json(directory / "config.json", {"engine": "static", "dimensions": 2})
    durable.write_manifest(directory)
    return directory


def test_a_text_is_the_weighted_mean_of_its_tokens(tmp_path: Path) -> None:
    embedder = open_embedder(write(tmp_path / "model"))
    found = embedder.embed(["red", "red green", "red green green red"])
    expected = np.array([[1, 0], [1, 2], [1, 2]]) / np.array([[1], [5**0.5], [5**0.5]])
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    assert found.tokens == [1, 2, 4]


@pytest.mark.parametrize("text", ["", "  ", "unheard of", "red blue"])
def test_what_adds_up_to_nothing_is_the_uniform_vector(tmp_path: Path, text: str) -> None:
    vectors = open_embedder(write(tmp_path / "model")).embed(["green", text, "red"]).vectors
    np.testing.assert_allclose(vectors[1], [0.5**0.5, 0.5**0.5], atol=1e-6)
    np.testing.assert_allclose(vectors[[0, 2]], [[0, 1], [1, 0]], atol=1e-6)


def test_a_text_longer_than_a_block_counts_whole(tmp_path: Path) -> None:
    embedder = open_embedder(write(tmp_path / "model"))
    text = " ".join(["green"] * 5000 + ["red"] * 10_000)
    vectors = embedder.embed(["red", text, "green"]).vectors
    np.testing.assert_allclose(vectors[1], [0.5**0.5, 0.5**0.5], atol=1e-4)
    np.testing.assert_array_equal(vectors[1], embedder.embed([text]).vectors[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"vectors": np.zeros((5, 3), np.int8)},
        {"vectors": np.zeros((4, 2), np.int8)},
        {"vectors": np.zeros((5, 2), np.float32)},
        {"vectors": np.zeros(5, np.int8)},
        {"scales": np.zeros(4, np.float32)},
        {"scales": np.zeros(5, np.float64)},
        {"scales": np.array([{"a": 1}] * 5)},
    ],
)
def test_files_that_do_not_fit_together_are_corrupt(
    tmp_path: Path, changed: dict[str, np.ndarray]
) -> None:
    with pytest.raises(Corrupt):
        open_embedder(write(tmp_path / "model", **changed))


def test_an_unknown_engine_is_named(tmp_path: Path) -> None:
    directory = write(tmp_path / "model")
    durable.write_json(directory / "config.json", {"engine": "psychic", "dimensions": 2})
    durable.write_manifest(directory)
    with pytest.raises(Corrupt, match="psychic"):
        open_embedder(directory)


def test_the_builtin_needs_no_torch_and_little_space() -> None:
    code = (
        "import sys; from tunewright import builtin;"
        "from tunewright.embedding import open_embedder;"
        "open_embedder(builtin.ROOT / 'static').embed(['a']); assert 'torch' not in sys.modules;"
        "print(sum(p.stat().st_size for p in (builtin.ROOT / 'static').iterdir()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 9_000_000
