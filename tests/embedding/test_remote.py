"""An embedder whose vectors are computed elsewhere: what is asked, and when it is chosen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import tiny_encoders
from tunewright import durable
from tunewright.embedding import open_embedder
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.encoder import Source
from tunewright.embedding.remote import CPU_TOKENS, GPU_TOKENS, TorchEmbedder
from tunewright.errors import Corrupt, Unavailable


class Recording:
    """Gives each input its length and its first id."""

    def __init__(self, on_gpu: bool = False) -> None:
        self.on_gpu = on_gpu
        self.asked: list[tuple[Source, list[list[int]], list[int]]] = []

    def encode(
        self, source: Source, inputs: Sequence[Sequence[int]], skips: Sequence[int] = ()
    ) -> np.ndarray:
        self.asked.append((source, [[*ids] for ids in inputs], [*skips]))
        rows = np.zeros((len(inputs), 64), np.float32)
        rows[:, 0] = [len(ids) for ids in inputs]
        rows[:, 1] = [ids[0] for ids in inputs]
        return rows


def test_ids_are_sent_with_the_special_ones_and_the_fingerprint(tmp_path: Path) -> None:
    directory = tiny_encoders.for_torch(tmp_path / "model")
    encoder = Recording()
    embedder = open_embedder(directory, encoder=encoder)
    assert encoder.asked == []  # opening it starts no engine
    vectors = embedder.embed(["The cat", ""]).vectors
    source = Source(str(directory), durable.fingerprint(directory))
    assert {each[0] for each in encoder.asked} == {source}
    sent = [ids for _, inputs, _ in encoder.asked for ids in inputs]
    assert sorted(sent) == [[2, 3], [2, 4, 7, 3]]
    np.testing.assert_allclose(vectors[0, :2], np.array([4, 2]) / np.hypot(4, 2), rtol=1e-6)
    assert all(skips == [] for _, _, skips in encoder.asked)


def test_where_a_prompt_is_not_pooled_its_tokens_are_said(tmp_path: Path) -> None:
    directory = tiny_encoders.bert(tmp_path / "model")
    pooling = directory / "1_Pooling" / "config.json"
    tiny_encoders.write(pooling, durable.read_json(pooling) | {"include_prompt": False})
    prompts = {"prompts": {"query": "question :"}}
    tiny_encoders.write(directory / "config_sentence_transformers.json", prompts)
    encoder = Recording()
    embedder = TorchEmbedder(directory, encoder)
    [prompt, text] = embedder.tokenize(["question :", "the cat"])
    embedder.embed_tokens([[*prompt, *text], text])
    assert encoder.asked[-1][2] == [1 + len(prompt), 0]


def test_on_a_gpu_torch_takes_what_a_graph_would_compute_but_for_int8(tmp_path: Path) -> None:
    directory = tiny_encoders.bert(tmp_path / "model")
    durable.write_manifest(directory, about=Chosen("onnx", "onnx/model.onnx").about)
    embedder = open_embedder(directory, encoder=Recording(on_gpu=True))
    assert isinstance(embedder, TorchEmbedder)
    assert embedder.batch_tokens == GPU_TOKENS
    assert TorchEmbedder(directory, Recording()).batch_tokens == CPU_TOKENS
    with pytest.raises(Corrupt, match=r"model\.onnx"):  # which is not there, and is looked for
        open_embedder(directory, encoder=Recording())
    fast = Chosen("onnx", "onnx/fast.onnx", precision="fast")
    durable.write_manifest(directory, about=fast.about)
    with pytest.raises(Corrupt, match=r"fast\.onnx"):
        open_embedder(directory, encoder=Recording(on_gpu=True))


def test_without_an_engine_it_says_what_to_do(tmp_path: Path) -> None:
    embedder = open_embedder(tiny_encoders.for_torch(tmp_path / "model"))
    with pytest.raises(Unavailable, match="with Tunewright"):
        embedder.embed(["The cat"])
