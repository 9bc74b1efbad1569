"""Hidden states of every kind of text transformer, batched and padded, are transformers' own."""

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5Model,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from tunewright.encoders import backbone
from tunewright.errors import BadRequest, Corrupt

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 40,
}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
MODERN = SIZES | SPECIAL | {"cls_token_id": 1, "sep_token_id": 2}
MADE = {
    "bert": lambda: BertForMaskedLM(BertConfig(**SIZES)),
    "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**SIZES)),
    "mpnet": lambda: MPNetForMaskedLM(MPNetConfig(**SIZES)),
    "modernbert": lambda: ModernBertForMaskedLM(ModernBertConfig(**MODERN)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=8)),
    "t5": lambda: T5Model(
        T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    ),
}
INPUTS = [[4, 5, 6], [7], [9, 8, 7, 6, 5, 4, 3, 9]]


def saved(name: str, directory: Path) -> Path:
    torch.manual_seed(3)
    MADE[name]().save_pretrained(directory)
    return directory


@pytest.mark.parametrize("name", MADE)
def test_hidden_states_in_a_batch_are_those_of_each_text_alone(name: str, tmp_path: Path) -> None:
    directory = saved(name, tmp_path)
    loaded = backbone.load_backbone(directory)
    plain: PreTrainedModel = (T5EncoderModel if name == "t5" else AutoModel).from_pretrained(
        directory
    )
    plain.eval()
    with torch.inference_mode():
        found = backbone.hidden_states(loaded, *backbone.padded(loaded, INPUTS))
        assert found.shape == (3, 8, 16)
        for row, ids in zip(found, INPUTS, strict=True):
            alone = plain(input_ids=torch.tensor([ids])).last_hidden_state[0]  # [time, h]
            torch.testing.assert_close(row[: len(ids)], alone, atol=1e-5, rtol=1e-4)
    assert backbone.vocabulary(loaded) == 50
    expected = {"xlm-roberta": 38, "mpnet": 38, "t5": None}.get(name, 40)
    assert backbone.positions(loaded) == expected


def test_a_weight_that_is_missing_or_surplus_is_named_and_a_head_is_not(tmp_path: Path) -> None:
    for layers, said in ((3, "lacks weights.*layer.2"), (1, "no place for.*layer.1")):
        directory = saved("bert", tmp_path / str(layers))
        BertConfig(**SIZES | {"num_hidden_layers": layers}).save_pretrained(directory)
        with pytest.raises(Corrupt, match=said):
            backbone.load_backbone(directory)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BadRequest, match="safetensors"):
        backbone.load_backbone(tmp_path)
