"""What the files of a sentence-transformers directory say, and how they are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedding.sentence_models import MEAN, PACKAGE, dense, modules, settings, write
from tunewright.embedding.dense import Dense
from tunewright.embedding.modules import Normalize, Pipeline, Pooling, is_embedder
from tunewright.errors import BadRequest

WEIGHT = np.arange(24, dtype=np.float32).reshape(3, 8) / 24


def test_modules_in_their_order_prompts_and_what_the_card_says(tmp_path: Path) -> None:
    settings(tmp_path, {"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": False})
    modules(tmp_path, "Transformer", "Pooling", "Normalize", "Dense", "Dropout")
    dense(tmp_path / "3_Dense", WEIGHT, activation_function="torch.nn.modules.linear.Identity")
    write(
        tmp_path / "config_sentence_transformers.json",
        {"prompts": {"query": "q: ", "document": ""}, "default_prompt_name": "query"},
    )
    card = '---\nlanguage: en\nlicense: "apache-2.0"\n---\n{"matryoshka_dims": [\n 8,\n 4, 2]}\n'
    (tmp_path / "README.md").write_text(card)
    found = Pipeline.read(tmp_path)
    assert found.pooling == Pooling(("cls",), include_prompt=False)
    assert isinstance(found.after[0], Normalize)
    assert isinstance(found.after[1], Dense)
    np.testing.assert_array_equal(found.after[1].weight, WEIGHT)
    assert (found.after[1].activation, found.after[1].bias) == ("Identity", None)
    assert (found.width, found.dimensions, found.normalize) == (8, 3, False)
    assert (found.prompts, found.default_prompt) == ({"query": "q: ", "document": ""}, "query")
    assert (found.licence, found.matryoshka, found.notes) == ("apache-2.0", (2, 4, 8), ())


@pytest.mark.parametrize(
    ("config", "modes"),
    [
        (MEAN, ("mean",)),
        ({"pooling_mode_lasttoken": True}, ("lasttoken",)),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, ("cls", "mean")),
        ({"pooling_mode": ["mean", "max"]}, ("mean", "max")),
        ({"pooling_mode_mean_tokens": False}, ("mean",)),
    ],
)
def test_pooling_in_both_of_its_forms(
    tmp_path: Path, config: dict[str, Any], modes: tuple[str, ...]
) -> None:
    found = Pipeline.read(settings(tmp_path, config))
    assert found.pooling == Pooling(modes)
    assert found.dimensions == 8 * len(modes)


def test_what_is_supposed_for_want_of_files_is_said(tmp_path: Path) -> None:
    settings(tmp_path, {"pooling_mode_cls_token": True})
    (tmp_path / "modules.json").unlink()
    found = Pipeline.read(tmp_path)
    assert (found.pooling.modes, found.after) == (("cls",), ())
    assert "its folder 1_Pooling says" in found.notes[0]
    (tmp_path / "1_Pooling" / "config.json").unlink()
    (tmp_path / "1_Pooling").rmdir()
    assert not is_embedder(tmp_path)
    found = Pipeline.read(tmp_path)
    assert (found.pooling.modes, found.dimensions) == (("mean",), 8)
    assert "the mean of its tokens' vectors is taken" in found.notes[0]


@pytest.mark.parametrize(
    ("config", "said", "tokenizer", "length"),
    [
        ({"max_position_embeddings": 512}, {"max_seq_length": 256}, {}, 256),
        ({"max_position_embeddings": 512}, {}, {"model_max_length": 1e30}, 512),
        ({"max_position_embeddings": 512}, {}, {"model_max_length": 128}, 128),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, {}, {}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 9}, {"max_seq_length": 9}, {}, 7),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, {}, {}, 512),
        ({"model_type": "t5"}, {}, {}, None),
        ({"model_type": "qwen3", "max_position_embeddings": 64}, {"max_seq_length": 99}, {}, 99),
    ],
)  # fmt: skip
def test_the_most_tokens_that_it_reads(
    tmp_path: Path,
    config: dict[str, Any],
    said: dict[str, Any],
    tokenizer: dict[str, Any],
    length: int | None,
) -> None:
    settings(tmp_path, **config)
    write(tmp_path / "sentence_bert_config.json", said | {"do_lower_case": True})
    write(tmp_path / "tokenizer_config.json", tokenizer)
    found = Pipeline.read(tmp_path)
    assert (found.length, found.lower) == (length, True)


FIRST = {"path": "", "type": PACKAGE + "Transformer"}
BROKEN: dict[str, tuple[str, Any, str]] = {
    "no list": ("modules.json", {}, "not a list of modules"),
    "empty": ("modules.json", [], "not a list of modules"),
    "no type": ("modules.json", [{"path": ""}], "no `type`"),
    "code": ("modules.json", [{"path": "", "type": "custom_st.Transformer"}], "custom_st"),
    "unknown": ("modules.json", [{"path": "", "type": PACKAGE + "CLIPModel"}], "CLIPModel"),
    "outside": (
        "modules.json",
        [FIRST, {"path": "../x", "type": PACKAGE + "Pooling"}],
        "not a folder of this model",
    ),
    "absolute": ("modules.json", [{"path": "/etc", "type": PACKAGE + "Transformer"}], "/etc"),
    "token vectors": ("modules.json", [FIRST], "not Pooling"),
    "no pooling": ("1_Pooling/config.json", None, "Pooling has its settings there"),
    "mode": ("1_Pooling/config.json", {"pooling_mode": "median"}, "'median' is not supported"),
    "old mode": ("1_Pooling/config.json", {"pooling_mode_best": True}, "pooling_mode_best"),
    "width": ("1_Pooling/config.json", MEAN | {"word_embedding_dimension": 9}, "9 components, but"),
    "include": ("1_Pooling/config.json", MEAN | {"include_prompt": "no"}, "include_prompt"),
    "length": ("sentence_bert_config.json", {"max_seq_length": "many"}, "not the length of a text"),
    "task": ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "fill-mask"),
    "prompts": ("config_sentence_transformers.json", {"prompts": ["a"]}, "not texts by name"),
    "default": ("config_sentence_transformers.json", {"default_prompt_name": "q"}, "'q' is not"),
    "sparse": ("config_sentence_transformers.json", {"model_type": "Sparse"}, "is a Sparse,"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, broken: str) -> None:
    file, value, said = BROKEN[broken]
    settings(tmp_path)
    if value is None:
        (tmp_path / file).unlink()
    else:
        write(tmp_path / file, value)
    with pytest.raises(BadRequest) as refused:
        Pipeline.read(tmp_path)
    assert said in refused.value.message
    assert str(tmp_path) in refused.value.message


@pytest.mark.parametrize(
    ("weight", "config", "said"),
    [
        (WEIGHT, {"in_features": 7}, "[3, 8], but its config.json says [3, 7]"),
        (WEIGHT[:, :6], {}, "takes vectors of 6 components, but what comes before it gives 8"),
        (WEIGHT, {"bias": True}, "holds no linear.bias"),
        (WEIGHT * np.nan, {}, "not numbers"),
        (WEIGHT, {"activation_function": "evil.Run"}, "'evil.Run' is not supported"),
        (WEIGHT, {"activation_function": "torch.nn.modules.activation.Softmax"}, "Softmax"),
        (WEIGHT, {"module_input_name": "token_embeddings"}, "'token_embeddings'"),
    ],
)
def test_a_dense_that_does_not_fit_is_refused(
    tmp_path: Path, weight: np.ndarray, config: dict[str, Any], said: str
) -> None:
    modules(settings(tmp_path), "Transformer", "Pooling", "Dense")
    dense(tmp_path / "2_Dense", weight)
    file = tmp_path / "2_Dense" / "config.json"
    write(file, json.loads(file.read_text()) | config)
    with pytest.raises(BadRequest) as refused:
        Pipeline.read(tmp_path)
    assert said in refused.value.message


def test_a_dense_in_a_pickle_is_refused(tmp_path: Path) -> None:
    modules(settings(tmp_path), "Transformer", "Pooling", "Dense")
    dense(tmp_path / "2_Dense", WEIGHT)
    assert Pipeline.read(tmp_path).dimensions == 3
    (tmp_path / "2_Dense" / "model.safetensors").rename(tmp_path / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(BadRequest, match=r"has no model\.safetensors.*can run code"):
        Pipeline.read(tmp_path)
