"""Bases of the operator's own, through the library, with real processes."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from servers import Server, chats
from tunewright import Tunewright, builtin, durable
from tunewright.errors import BadRequest
from tunewright.settings import DEFAULT_ALIASES, Settings


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small model of another family, with the built-in tokenizer and template."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=8192,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    made = tmp_path / "qwen"
    Qwen3ForCausalLM(config).save_pretrained(made)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(builtin.ROOT / "chat" / name, made)
    shutil.copy(builtin.ROOT / "chat" / "generation_config.json", made)
    return made


@pytest.mark.timeout(300)
def test_a_base_of_ones_own_is_tuned_and_outlives_its_folder_and_its_alias(
    server: Server, directory: Path
) -> None:
    tw = Tunewright(server.home)  # whose worker and engine run
    found = tw.add_base("my/qwen", str(directory)).base
    assert (found.kind, found.context, found.source) == ("chat", 512, str(directory))
    assert (found.measured, found.dtype, found.no_shared_prefixes) == (True, "float32", None)
    assert found.tokens_per_second is not None
    assert found.tokens_per_second > 0
    assert "knows no tools" in str(found.no_tools)
    # Each weight once, although its head may be stored beside the embedding it is tied to.
    assert found.parameters == 8192 * 64 + 2 * (64 * (64 + 32 + 32 + 64 + 3 * 128 + 2) + 32) + 64
    assert found.memory_to_serve > 4 * found.parameters
    shutil.rmtree(directory)  # the home keeps what it needs
    file = tw.files.create(file=chats(10), purpose="fine-tune", filename="x.jsonl")
    job = tw.jobs.create(model="my/qwen", training_file=file.id, hyperparameters={"n_epochs": 1})
    job = tw.jobs.wait(job.id)
    assert job.status == "succeeded", job
    model = job.fine_tuned_model
    assert model is not None
    assert model.startswith("ft:my/qwen:personal::")
    ask = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    said = tw.chat.create(**ask, temperature=0)
    whole = "".join(
        chunk["choices"][0]["delta"].get("content", "")
        for chunk in tw.chat.stream(**ask, temperature=0)
    )
    assert whole == said.choices[0].message.content
    weights = tw.models.weights(model, ("chat",))

    aliases = {**DEFAULT_ALIASES, "my/qwen": "builtin-chat", "gpt-3.5-turbo": "my/qwen"}
    again = Tunewright(settings=Settings.read(server.home, aliases=aliases))
    assert again.models.weights(model, ("chat",)) == weights
    assert again.models.weights("gpt-3.5-turbo", ("chat",)).base == "my/qwen"
    assert again.models.directory(weights).is_dir()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d: (d / "model.safetensors").rename(d / "pytorch_model.bin"), r"no \*.safetensors"),
        (lambda d: (d / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda d: (d / "config.json").write_text('{"auto_map": {"AutoModel": "x.Y"}}'), "code"),
        (lambda d: (d / "tokenizer.json").write_text("{}"), "cannot be used"),
        (
            lambda d: (d / "chat_template.jinja").write_text(
                "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"
            ),
            "cannot be used|come to an end",
        ),
        (
            lambda d: (d / "chat_template.jinja").write_text(
                "{{ ''.__class__.__mro__[1].__subclasses__() }}"
            ),
            "cannot be used",
        ),
        (lambda d: (d / "config.json").write_text("{"), r"config\.json is not the JSON"),
        (lambda d: (d / "config.json").write_text("5"), r"config\.json must hold a JSON object"),
        (lambda d: (d / "config.json").write_text("[" * 10**5), r"config\.json is not the JSON"),
        (lambda d: (d / "chat_template.jinja").write_bytes(b"\xff"), "is not UTF-8"),
        (lambda d: (d / "chat_template.jinja").write_text("Hi"), "shows nothing of what"),
        (
            lambda d: (d / "model.safetensors").write_bytes(
                (d / "model.safetensors").read_bytes()[:-1]
            ),
            r"model\.safetensors is broken",
        ),
    ],
    ids=[
        "no safetensors",
        "no tokenizer",
        "own code",
        "bad tokenizer",
        "endless",
        "escape",
        "no settings",
        "settings of another kind",
        "deep settings",
        "bytes for a template",
        "blind",
        "cut",
    ],
)
def test_what_cannot_be_loaded_safely_is_refused(
    tmp_path: Path, directory: Path, spoil, reason: str
) -> None:
    spoil(directory)
    tw = Tunewright(tmp_path / "home")
    with pytest.raises(BadRequest, match=reason):
        tw.add_base("bad", str(directory))
    assert "bad" not in [model.id for model in tw.models.list().data]
    assert not list((tmp_path / "home" / "bases").glob("bad*"))


def test_names_and_double_names(tmp_path: Path, directory: Path) -> None:
    tw = Tunewright(tmp_path / "home")
    for name in ("", "../up", "a b", "x" * 97):
        with pytest.raises(BadRequest, match="name"):
            tw.add_base(name, str(directory))
    tw.add_base("one", str(directory))
    with pytest.raises(BadRequest, match="already"):
        tw.add_base("one", str(directory))
    with pytest.raises(BadRequest, match="built in"):
        tw.bases.delete("builtin-chat")
    tw.bases.delete("one")
    assert json.dumps([m.id for m in tw.models.list().data]).count("one") == 0


def test_a_base_is_the_homes_own_whatever_happens_to_where_it_came_from(
    tmp_path: Path, directory: Path
) -> None:
    """Also one with a name like those of half-written files."""
    home = tmp_path / "home"
    tw = Tunewright(home)
    name = "mine.tmp-12-deadbeef"
    tw.add_base(name, str(directory))
    tw.close()
    for file in directory.iterdir():  # in place, as an editor or a download may
        with file.open("r+b") as written:
            written.write(b"other")
    with Tunewright(home) as again:  # sweeps
        weights = again.models.weights(name, ("chat",))
        kept = again.models.directory(weights)
        assert kept.is_dir()
        assert durable.verify(kept)


def test_a_chat_template_that_is_given_must_be_one(tmp_path: Path, directory: Path) -> None:
    """It is tried with the base; nothing of it is kept where it fails."""
    tw = Tunewright(tmp_path / "home")
    (directory / "chat_template.jinja").unlink()
    with pytest.raises(BadRequest, match=r"no chat template.*--chat-template FILE"):
        tw.add_base("mine", str(directory), "chat")
    file = tmp_path / "mine.jinja"
    for content, reason in (
        (None, "cannot be read: No such file"),
        (b" \n", "is empty"),
        (b"\xff", "is not UTF-8"),
        (b"x" * (1 << 20) + b"x", "larger than 1 MiB"),
        (b"Hello", "shows nothing of what the user says"),
        (b"{% for m in messages %}", "cannot be used"),
    ):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(BadRequest, match=reason):
            tw.add_base("mine", str(directory), chat_template=file)
    assert not list((tmp_path / "home" / "bases").glob("mine*"))
    assert not list((tmp_path / "home" / "downloads").iterdir())
    assert not (directory / "chat_template.jinja").exists()
