"""Chat templates and tokenizers of the kinds that are in use, as small model directories."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer, UnigramTrainer

from tunewright.rendering import Renderer

CHATML = """{% for message in messages %}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

CHATML_TRACKED = """{%- for message in messages -%}
    {{- '<|im_start|>' + message['role'] + '\n' -}}
    {%- if message.role == 'assistant' -%}
        {%- generation -%}{{ message['content'] | trim }}<|im_end|>{%- endgeneration -%}
    {%- else -%}{{ message['content'] | trim }}<|im_end|>{%- endif -%}
    {{- '\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"""

LLAMA = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content']|trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system = '' %}{%- endif %}
{%- if system %}{{- '<|im_start|>system\n\n' + system + '<|im_end|>' }}{%- endif %}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/...') }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\n\n' + message['content'] | trim + '<|im_end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n\n' }}{%- endif %}"""

LLAMA2 = """{% for message in messages %}{% if message.role == 'user' %}
{{ bos_token + '[INST] ' + message.content | trim + ' [/INST]' }}
{%- elif message.role == 'assistant' %}{{ ' ' + message.content | trim + ' ' + eos_token }}
{%- else %}{{ raise_exception('No system role here') }}{% endif %}{% endfor %}"""

QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1, search=true) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.search and message.role == 'user' %}
        {%- set ns.search = false %}{%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content %}{%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1] %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\n' }}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' }}
        {%- endif %}
        {{- content.lstrip('\n') + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}"""

# Opens with a thought that it then drops: the rendering never starts with the serving prompt.
FORGETFUL = """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' }}
    {{- message.content.split('</think>')[-1] + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n' }}{%- endif %}"""

SPOKEN = """{%- for message in messages %}
    {%- if message.role == 'tool' %}{% continue %}{% endif %}
    {{- message.role | upper }}: {{ message | tojson }} {{ strftime_now('%Y')[:2] }}{{ eos_token }}
{% endfor %}
{%- if add_generation_prompt %}{{- 'ASSISTANT: ' }}{%- endif %}"""

TEMPLATES = {
    "chatml": CHATML,
    "chatml-tracked": CHATML_TRACKED,
    "llama": LLAMA,
    "llama2": LLAMA2,
    "qwen3": QWEN3,
    "forgetful": FORGETFUL,
    "spoken": SPOKEN,
}
SPECIAL = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>"]
SOFT = ["<think>", "</think>"]
SENTENCES = [
    "What is the capital of France? Paris, as if everyone did not know that already.",
    "system user assistant You are a helpful assistant. He said: it's fine, isn't it?",
    "The quick brown fox jumps over the lazy dog; 12 times 12 is 144 & <b>bold</b>.",
    "im_start im_end think /think Größe naïve 漢字 こんにちは 🙂 مرحبا",
]


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    return tokenizer


def _byte_level_with_bos() -> Tokenizer:
    tokenizer = _byte_level()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return tokenizer


def _llama2_bpe() -> Tokenizer:
    """As Llama 2: byte fallback, a word prefix, spaces as U+2581."""
    tokenizer = _byte_level()
    layout = orjson.loads(tokenizer.to_str())
    pieces = {word: number for number, word in enumerate(SPECIAL)}
    for byte in range(256):
        pieces[f"<0x{byte:02X}>"] = len(pieces)
    for char in sorted(set("".join(SENTENCES)).union("▁") - {" "}):
        pieces[char] = len(pieces)
    layout["model"] = {
        "type": "BPE", "vocab": pieces, "merges": [], "byte_fallback": True, "unk_token": "<unk>",
        "fuse_unk": True, "dropout": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "ignore_merges": False,
    }  # fmt: skip
    layout["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(orjson.dumps(layout).decode())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


def _unigram() -> Tokenizer:
    """Holds ``</s>`` as a piece of its vocabulary: turning special tokens off would not help."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = UnigramTrainer(
        vocab_size=200,
        special_tokens=SPECIAL,
        unk_token="<unk>",
        initial_alphabet=list({char for text in SENTENCES for char in text if char != " "}),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    return tokenizer


TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": _byte_level,
    "with-bos": _byte_level_with_bos,
    "llama2": _llama2_bpe,
    "unigram": _unigram,
}


@cache
def _trained(tokenizer: str) -> str:
    return TOKENIZERS[tokenizer]().to_str()


def write_model(directory: Path, template: str | None, tokenizer: str = "byte-level") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    built = Tokenizer.from_str(_trained(tokenizer))
    built.add_tokens([AddedToken(word, normalized=False) for word in SOFT])
    built.save(str(directory / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": 10**30,
    }
    (directory / "tokenizer_config.json").write_bytes(json.dumps(config).encode())
    (directory / "config.json").write_bytes(orjson.dumps({"max_position_embeddings": 512}))
    ends = [built.token_to_id("<|im_end|>"), built.token_to_id("</s>")]
    (directory / "generation_config.json").write_bytes(orjson.dumps({"eos_token_id": ends}))
    if template is not None:
        (directory / "chat_template.jinja").write_text(template, encoding="utf-8")
    return directory


@cache
def loaded(directory: Path) -> Renderer:
    return Renderer.load(directory, chat=True)


def say(*turns: str) -> list[dict[str, Any]]:
    """ "u: text", "a: text", "s: text" as messages."""
    roles = {"u": "user", "a": "assistant", "s": "system"}
    return [{"role": roles[turn[0]], "content": turn[3:]} for turn in turns]
