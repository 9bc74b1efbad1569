"""Small models to check against: byte-level BPE, a ChatML template, a context of 512 tokens."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from tunewright.rendering import Renderer

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_model(directory: Path, template: str = CHATML, context: int = 512) -> Path:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=300,
        special_tokens=["</s>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["system user assistant: what is the answer?"] * 9, trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "</s>", "chat_template": template}), encoding="utf-8"
    )
    (directory / "config.json").write_text(json.dumps({"max_position_embeddings": context}))
    return directory


def write_model_of_words(directory: Path) -> Path:
    """One that knows "hi" and "hello", and nothing else that anybody says."""
    words = ["<unk>", "</s>", "<|im_start|>", "<|im_end|>", "hi", "user", "assistant", "hello"]
    tokenizer = Tokenizer(models.WordLevel({w: at for at, w in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(words[:4])
    write_model(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def renderers(model_directory: Path) -> dict[str, Renderer]:
    """By the form of rows that it takes."""
    return {
        form: Renderer.load(model_directory, chat=form == "chat") for form in ("chat", "completion")
    }
