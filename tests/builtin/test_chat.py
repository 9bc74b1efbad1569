"""The starter model as shipped: whole, small, loadable, and of one mind with its template."""

import json
from types import SimpleNamespace

import pytest

from tunewright import durable
from tunewright.builtin import BASES, ROOT
from tunewright.rendering import Renderer

CHAT = ROOT / "chat"
MEGABYTE = 10**6
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 12 + 305?\nSay it."},
    {"role": "assistant", "content": "It's 317."},
    {"role": "user", "content": "Thanks <3"},
    {"role": "assistant", "content": "You're welcome."},
]


def test_every_file_is_the_one_that_was_exported():
    durable.verify(CHAT)


def test_it_is_small_enough_for_a_package():
    assert sum(path.stat().st_size for path in CHAT.iterdir()) < 45 * MEGABYTE


def test_the_card_of_the_weights_names_what_they_are():
    about = json.loads((CHAT / "manifest.json").read_text())["about"]
    assert about["name"] == "builtin-chat"
    assert about["family"] == "llama"
    assert about["tokens_seen"] > MEGABYTE
    assert about["license"] == "Apache-2.0"


def test_bases_have_names_of_their_own():
    assert [base.name for base in BASES][:2] == ["builtin-chat", "builtin-completion"]
    assert len({base.name for base in BASES}) == len(BASES)


def test_rows_and_prompts_are_those_of_transformers():
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(CHAT)
    ours = Renderer.load(CHAT, chat=True)
    example = SimpleNamespace(messages=TURNS, tools=[])

    for row, size in zip(ours.rows(example, line=1), (3, 5), strict=True):
        whole = theirs.apply_chat_template(TURNS[:size], return_dict=True)["input_ids"]
        assert row.prompt + row.answer == whole
    assert (
        ours.prompt(TURNS[:2])
        == theirs.apply_chat_template(TURNS[:2], add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
    )


def test_the_template_marks_what_the_assistant_says():
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(CHAT)
    rendered = tokenizer.apply_chat_template(
        TURNS[:3], return_dict=True, return_assistant_tokens_mask=True
    )
    said = [
        id
        for id, marked in zip(rendered["input_ids"], rendered["assistant_masks"], strict=True)
        if marked
    ]
    assert tokenizer.decode(said) == "It's 317.<|end|>"


def test_text_survives_the_tokenizer():
    renderer = Renderer.load(CHAT, chat=False)
    text = "  Ünïcode, 1234.5 \t and\n\n\U0001f600 all"
    assert renderer.decode(renderer.completion_prompt(text)) == text


def test_digits_are_tokens_of_their_own():
    assert Renderer.load(CHAT, chat=False).count("2024") == 4


def test_an_unknown_role_is_refused():
    with pytest.raises(Exception, match="system, user and assistant"):
        Renderer.load(CHAT, chat=True).prompt([{"role": "oracle", "content": "?"}])


def test_it_answers_and_stops():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(CHAT, dtype=torch.float32)
    renderer = Renderer.load(CHAT, chat=True)
    prompt = renderer.prompt([{"role": "user", "content": "I want to book a table for two."}])
    ids = model.generate(torch.tensor([prompt]), max_new_tokens=60, do_sample=False)[0].tolist()
    answer = ids[len(prompt) :]
    assert renderer.decode(answer).strip()
    assert answer[-1] in renderer.stop_ids
