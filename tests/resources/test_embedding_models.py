"""Models of several families, tiny and made here, give through `models add` the vectors that torch
and transformers give: graphs written by torch, pooling, Dense, prompts, positions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    LongformerConfig,
    LongformerModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3Model,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from embedding import sentence_models as made
from tunewright import Tunewright
from tunewright.embedding.chosen import Chosen

pytestmark = pytest.mark.slow

ROWS = len(made.SPECIAL) + len(made.WORDS)
SIZES: dict[str, Any] = {
    "vocab_size": ROWS,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "initializer_range": 0.5,
}
PLAIN = {"tokenizer_class": "PreTrainedTokenizerFast"}  # or BERT's own would read its words
TEXTS = ["The cat sat on the mat.", "a bank raised rates", "dog", "one two " * 4]


def bert(directory: Path) -> PreTrainedModel:
    """cls, then Dense with tanh, then Normalize."""
    made.modules(directory, "Transformer", "Pooling", "Dense", "Normalize")
    made.write(directory / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True})
    numbers = np.random.default_rng(3)
    weight, bias = numbers.normal(size=(5, 8)), numbers.normal(size=5)
    made.dense(directory / "2_Dense", weight, bias)
    return BertModel(BertConfig(**SIZES, max_position_embeddings=32))


def roberta(directory: Path) -> PreTrainedModel:
    """mean and max; its positions begin behind the padding's id, so 2 of 34 are lost."""
    made.modules(directory, "Transformer", "Pooling")
    pooling = {"embedding_dimension": 8, "pooling_mode": ["mean", "max"]}
    made.write(directory / "1_Pooling" / "config.json", pooling)
    return XLMRobertaModel(XLMRobertaConfig(**SIZES, max_position_embeddings=34, pad_token_id=1))


def qwen(directory: Path) -> PreTrainedModel:
    """The last token, with prompts, as decoders have it; its tokenizer pads on the left."""
    made.modules(directory, "Transformer", "Pooling", "Normalize")
    made.write(directory / "1_Pooling" / "config.json", {"pooling_mode_lasttoken": True})
    prompts = {"query": "query : ", "document": ""}
    made.write(directory / "config_sentence_transformers.json", {"prompts": prompts})
    made.write(directory / "tokenizer_config.json", PLAIN | {"padding_side": "left"})
    config = Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=4, max_position_embeddings=32)
    return Qwen3Model(config)


def written(directory: Path, make: Callable[[Path], PreTrainedModel]) -> PreTrainedModel:
    directory.mkdir()
    made.write(directory / "tokenizer_config.json", PLAIN)
    torch.manual_seed(0)
    model = make(directory).eval()
    model.save_pretrained(directory)
    made.tokenizer(directory)
    return model


@torch.no_grad()
def hidden(model: PreTrainedModel, directory: Path, text: str) -> torch.Tensor:
    """[time, h] of one text alone."""
    ids = made.tokenizer(directory.parent).encode(text).ids
    return model(input_ids=torch.tensor([ids])).last_hidden_state[0]


def of_bert(tokens: torch.Tensor) -> torch.Tensor:
    numbers = np.random.default_rng(3)
    weight, bias = (torch.tensor(numbers.normal(size=size)).float() for size in ((5, 8), 5))
    return torch.tanh(weight @ tokens[0] + bias)


EXPECTED: dict[Callable[[Path], PreTrainedModel], Callable[[torch.Tensor], torch.Tensor]] = {
    bert: of_bert,
    roberta: lambda tokens: torch.cat([tokens.mean(0), tokens.max(0).values]),
    qwen: lambda tokens: tokens[-1],
}


@pytest.mark.parametrize("make", EXPECTED)
def test_the_vectors_are_those_of_transformers(
    tmp_path: Path, make: Callable[[Path], PreTrainedModel]
) -> None:
    source = tmp_path / "model"
    model = written(source, make)
    tw = Tunewright(tmp_path / "home")
    said: list[str] = []
    found = tw.add_base("ours", str(source), say=said.append).base
    assert found.engine == "onnx"
    assert found.agreement is not None
    assert found.agreement > 0.9999
    assert found.context == 30
    assert any("Writing it as an ONNX graph, once" in text for text in said)

    def vectors(texts: list[str], **given: object) -> np.ndarray:
        answer = tw.embeddings.create(model="ours", input=texts, **given)
        return np.array([each.embedding for each in answer.data])

    def expected(texts: list[str]) -> np.ndarray:
        rows = [EXPECTED[make](hidden(model, source, text)) for text in texts]
        return torch.nn.functional.normalize(torch.stack(rows)).numpy()

    np.testing.assert_allclose(vectors(TEXTS), expected(TEXTS), atol=2e-5)
    alone = np.concatenate([vectors([text]) for text in TEXTS])
    np.testing.assert_allclose(vectors(TEXTS), alone, atol=1e-6)
    if make is qwen:
        asked = expected([f"query : {text}" for text in TEXTS])
        np.testing.assert_allclose(vectors(TEXTS, prompt_name="query"), asked, atol=2e-5)


def longformer(directory: Path) -> PreTrainedModel:
    """A graph of it is right for the length that was traced only."""
    made.modules(directory, "Transformer", "Pooling")
    made.write(directory / "1_Pooling" / "config.json", {"pooling_mode": "mean"})
    more = {"max_position_embeddings": 34, "attention_window": [4, 4], "pad_token_id": 1}
    return LongformerModel(LongformerConfig(**SIZES, **more))


def test_what_is_no_graph_is_run_by_torch_in_the_engine(tmp_path: Path) -> None:
    source = tmp_path / "model"
    model = written(source, longformer)
    said: list[str] = []
    with Tunewright(tmp_path / "home") as tw:
        found = tw.add_base("long", str(source), say=said.append).base
        assert (found.engine, found.dimensions, found.context) == ("torch", 8, 30)
        assert any("It is run by torch, in the engine's process" in text for text in said)
        kept = tw.models.directory(tw.models.weights("long", ("embedding",)))
        assert not (kept / "onnx").exists()
        answer = tw.embeddings.create(model="long", input=TEXTS)
    vectors = np.array([each.embedding for each in answer.data])
    rows = torch.stack([hidden(model, source, text).mean(0) for text in TEXTS])
    expected = torch.nn.functional.normalize(rows).numpy()
    np.testing.assert_allclose(vectors, expected, atol=2e-5)


def test_a_graph_is_written_once_and_a_wrong_one_of_its_makers_is_not_used(tmp_path: Path) -> None:
    source = tmp_path / "model"
    written(source, bert)
    tw = Tunewright(tmp_path / "home")
    tw.add_base("first", str(source))
    said: list[str] = []
    assert tw.add_base("second", str(source), say=said.append, long_inputs="error").base.notes == []
    assert said == ["The graph that was written for first is used."]
    first, second = (
        tw.models.directory(tw.models.weights(name, ("embedding",))) for name in ("first", "second")
    )
    graph = "onnx/model.onnx"
    assert (first / graph).read_bytes() == (second / graph).read_bytes()
    made.graph(source / graph, made.table())  # of the right shape, and of another model
    said.clear()
    tw.add_base("third", str(source), say=said.append)
    assert any("onnx/model.onnx is not used: its cosine similarity" in text for text in said)
    third = tw.models.directory(tw.models.weights("third", ("embedding",)))
    assert (third / graph).read_bytes() == (first / graph).read_bytes()
    chosen = Chosen.read(third)
    assert chosen is not None
    assert chosen.found["cosine"] > 0.9999
