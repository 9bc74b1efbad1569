"""What is particular to transformers and to `builtin-mini`; the rest is the contract's."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tunewright import builtin, durable
from tunewright.embedding import open_embedder
from tunewright.embedding.embedder import Embedder
from tunewright.embedding.vectors import shortened
from tunewright.errors import Corrupt

CAT = "The cat sat on the mat."
GOLDEN = [0.2832, 0.1062, -0.0209, 0.0435, 0.0914, -0.0254, -0.1002, -0.0997]


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return open_embedder(builtin.MINI)


def changed(tmp_path: Path, **config: object) -> Path:
    copy = shutil.copytree(builtin.MINI, tmp_path / "model")
    durable.write_json(copy / "config.json", durable.read_json(copy / "config.json") | config)
    durable.write_manifest(copy)
    return copy


def test_whole_small_and_what_it_says_of_itself(mini: Embedder) -> None:
    about = durable.verify(builtin.MINI)["about"]
    assert (about["name"], about["licence"]) == ("builtin-mini", "Apache-2.0")
    assert sum(path.stat().st_size for path in builtin.MINI.iterdir()) < 18_000_000
    assert (mini.dimensions, mini.declared.context, mini.declared.prefixes) == (384, 512, True)
    shipped = [path for path in builtin.ROOT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) < 65_000_000


def test_a_sentence_has_the_vector_that_it_had(mini: Embedder) -> None:
    vector = mini.embed([CAT]).vectors[0]
    np.testing.assert_allclose(vector[:8], GOLDEN, atol=2e-3)


def test_word_order_counts(mini: Embedder) -> None:
    one, other = mini.embed(["Dog bites man.", "Man bites dog."]).vectors
    assert one @ other < 0.999


def test_a_beginning_is_a_vector_that_tells_the_same(mini: Embedder) -> None:
    texts = [CAT, "A kitten is sitting on a rug.", "The central bank raised interest rates."]
    for size in (64, 128, 256):
        cat, kitten, bank = shortened(mini.embed(texts).vectors, size)
        assert cat @ kitten > cat @ bank + 0.2
        assert abs(np.linalg.norm(cat) - 1) < 1e-6


def test_special_tokens_are_neither_counted_nor_missing(mini: Embedder) -> None:
    [ids] = mini.tokenize(["cat"])
    assert mini.embed(["cat"]).tokens == [len(ids)] == [1]
    with_none = mini.embed([""]).vectors[0]  # [CLS] [SEP]
    assert mini.embed(["cat"]).vectors[0] @ with_none < 0.9


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"dimensions": 256}, "dimensions"),
        ({"context": 513}, "context"),
        ({"context": None}, "context"),
        ({"around": ["[CLS]"]}, "around"),
        ({"around": ["[CLS]", "<end>"]}, "<end>"),
    ],
)
def test_what_does_not_fit_the_graph_is_named(
    tmp_path: Path, config: dict[str, object], named: str
) -> None:
    with pytest.raises(Corrupt, match=named):
        open_embedder(changed(tmp_path, **config))


def test_a_graph_that_is_none_is_corrupt(tmp_path: Path) -> None:
    copy = changed(tmp_path)
    (copy / "model.onnx").write_bytes(b"no graph")
    durable.write_manifest(copy)
    with pytest.raises(Corrupt, match=r"model\.onnx"):
        open_embedder(copy)


def test_a_damaged_graph_is_not_opened(tmp_path: Path) -> None:
    copy = changed(tmp_path)
    graph = bytearray((copy / "model.onnx").read_bytes())
    graph[10_000_000] ^= 1
    (copy / "model.onnx").write_bytes(graph)
    with pytest.raises(Corrupt, match=r"model\.onnx has changed"):
        open_embedder(copy)


def test_no_torch_is_loaded() -> None:
    code = (
        "import sys; from tunewright import builtin;"
        "from tunewright.embedding import open_embedder;"
        "assert 'onnxruntime' not in sys.modules;"
        "open_embedder(builtin.MINI).embed(['a']);"
        "assert not {'torch', 'transformers', 'onnx'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
