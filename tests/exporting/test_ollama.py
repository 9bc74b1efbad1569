"""Chat templates in Go's syntax: made of what the base's own template does, or refused by name."""

import re
from pathlib import Path
from typing import Any

import pytest

from training.tiny import write_base
from tunewright.errors import BadRequest
from tunewright.exporting.ollama import modelfile, parts_of
from tunewright.rendering import Renderer

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\n"
    "You are Smol.<|im_end|>\n{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start|>{{ m.role }}<|stop|>\n\n{{ m.content | trim }}"
    "<|eot|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content }}</s>{% else %}<<SYS>>{{ m.content }}<</SYS>>"
    "{% endif %}{% endfor %}"
)
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)
GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content }}<end>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
NUMBERED = (
    "{% for m in messages %}<{{ m.role }} {{ loop.index }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
BRACES = CHATML.replace("You are Smol.", "{{ '{{name}}' }}")


def renderer(folder: Path, template: str) -> Renderer:
    base = write_base(folder, "llama")
    (base / "chat_template.jinja").write_text(template)
    (base / "tokenizer_config.json").write_text('{"eos_token": "<|end|>", "bos_token": "<|user|>"}')
    return Renderer.load(base, chat=True)


def executed(template: str, messages: list[dict[str, str]]) -> str:
    """As Go would: the few actions that are written."""
    system = any(message["role"] == "system" for message in messages)
    before, loop, after = re.split(
        r"\{\{ range \.Messages \}\}|\{\{ end \}\}\{\{ end \}\}", template
    )
    before = re.sub(
        r"\{\{ if not \.System \}\}(.*?)\{\{ end \}\}",
        "" if system else r"\1", before.replace('{{ "{{" }}', "\0"), flags=re.DOTALL,
    )  # fmt: skip
    _, *branches = re.split(r'\{\{ (?:else )?if eq \.Role "(\w+)" \}\}', loop)
    of = dict(zip(branches[::2], branches[1::2], strict=True))
    said = [of[m["role"]].replace("{{ .Content }}", m["content"]) for m in messages]
    return (before + "".join(said) + after).replace("\0", "{{")


STOPS = ("<|im_end|>", "<|eot|>", "</s>", "<end>")
CONVERSATIONS: list[list[dict[str, str]]] = [
    [{"role": "user", "content": "Hello there"}],
    [{"role": "system", "content": "S."}, {"role": "user", "content": "Hi"}],
    [
        {"role": "system", "content": "S.\nT."},
        {"role": "user", "content": "A?"},
        {"role": "assistant", "content": "B."},
        {"role": "user", "content": "C?"},
    ],
    [
        {"role": "user", "content": "A?"},
        {"role": "assistant", "content": "B."},
        {"role": "user", "content": "C?"},
    ],
]


@pytest.mark.parametrize("template", [CHATML, LLAMA3, MISTRAL, THINKING, BRACES, GEMMA])
def test_what_is_written_renders_as_the_base_does(tmp_path: Path, template: str) -> None:
    used = renderer(tmp_path / "base", template)
    bos = "<|user|>" if "bos_token" in template else None
    written = parts_of(used, bos, STOPS).template()
    for messages in CONVERSATIONS:
        given: list[Any] = messages
        whole = used.prompt_text(given)
        assert executed(written, messages) == whole.removeprefix(bos or ""), written


def test_a_turn_ends_where_the_other_turns_end(tmp_path: Path) -> None:
    parts = parts_of(renderer(tmp_path / "base", THINKING), None, STOPS)
    assert parts.user == ("<|im_start|>user\n", "<|im_end|>\n")
    assert parts.assistant == ("<|im_start|>assistant\n", "<|im_end|>\n")
    assert parts.answer == "<|im_start|>assistant\n<think>\n\n</think>\n\n"


def test_a_default_system_message_stands_for_a_missing_one(tmp_path: Path) -> None:
    parts = parts_of(renderer(tmp_path / "base", CHATML), None, STOPS)
    assert parts.default == "<|im_start|>system\nYou are Smol.<|im_end|>\n"
    assert parts.opening == ""


@pytest.mark.parametrize("template", [NUMBERED])
def test_what_cannot_be_expressed_is_refused_by_name(tmp_path: Path, template: str) -> None:
    with pytest.raises(BadRequest, match="cannot be expressed as Ollama's") as refused:
        parts_of(renderer(tmp_path / "base", template), None, STOPS)
    assert refused.value.code == "not_expressible"


def test_quotes_that_a_modelfile_cannot_hold_are_refused(tmp_path: Path) -> None:
    used = renderer(tmp_path / "base", CHATML.replace("You are Smol.", 'Say """.'))
    with pytest.raises(BadRequest, match="a Modelfile cannot"):
        modelfile(used, "model.gguf", ["<|end|>"], None, None)
