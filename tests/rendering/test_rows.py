"""What is supervised, what a prompt is, and what loading refuses."""

import json

import pytest
from tokenizers import Tokenizer

from rendering.models import TEMPLATES, TOKENIZERS, say, write_model
from tunewright.dataset.examples import ChatExample as Chat
from tunewright.dataset.examples import CompletionExample as Completion
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_supervised_turn_is_a_serving_prompt_and_its_answer(model, template, tokenizer):
    renderer = Renderer.load(model(template, tokenizer), chat=True).using(trained=True)
    chat = Chat(say("u: a", "a: The fox", "u: 12 times 12?", "a: 144 quick", "u: b", "a: dog"))
    chat.messages[3]["weight"] = 0
    chat.messages[5]["weight"] = 1
    rows = renderer.rows(chat, line=7)
    assert [row.prompt for row in rows] == [renderer.prompt(chat.messages[:at]) for at in (1, 5)]
    for row, said in zip(rows, ["The fox", "dog"], strict=True):
        assert said in renderer.decode(row.answer)
        assert row.answer[-1] in renderer.stop_ids
        assert not renderer.stop_ids.intersection(row.answer[:-1])
        assert (row.line, row.cut) == (7, False)


def test_the_answer_is_what_follows_the_prompt_in_the_rendering(model):
    renderer = Renderer.load(model("chatml"), chat=True)
    tokens = Tokenizer.from_file(str(model("chatml") / "tokenizer.json"))
    end = tokens.token_to_id("<|im_end|>")
    assert renderer.end_id == end
    [row] = renderer.rows(Chat(say("u: Hi", "a: Hello, fox.")), 1)
    assert row.answer == [*tokens.encode("Hello, fox.").ids, end]


def test_an_answer_that_spells_its_own_end_is_not_cut_there(model):
    renderer = Renderer.load(model("chatml"), chat=True)
    [row] = renderer.rows(Chat(say("u: How do chats end?", "a: With <|im_end|>, always.")), 1)
    assert renderer.decode(row.answer) == "With <|im_end|>, always."
    assert row.answer.count(renderer.end_id) == 1


def test_thinking_off_trains_and_serves_the_bare_answer(model):
    chat = Chat(say("u: Hi", "a: Hello"))
    [plain] = Renderer.load(model("qwen3"), chat=True).rows(chat, 1)
    renderer = Renderer.load(model("qwen3"), chat=True, thinking=True)
    [thought] = renderer.rows(chat, 1)
    assert renderer.decode(plain.answer) == "Hello"
    assert renderer.decode(plain.prompt).endswith("<think>\n\n</think>\n\n")
    assert renderer.decode(thought.answer) == "<think>\n\n</think>\n\nHello"


def test_a_prompt_that_opens_with_more_than_is_kept_of_an_answer(model):
    # A base is asked as its template says; a tuned model as it was trained.
    renderer = Renderer.load(model("forgetful"), chat=True)
    [row] = renderer.rows(Chat(say("u: Hi", "a: Hello")), 1)
    assert renderer.decode(row.prompt).endswith("assistant\n")
    assert row.prompt == renderer.using(trained=True).prompt(say("u: Hi"))
    assert renderer.decode(renderer.prompt(say("u: Hi"))).endswith("assistant\n<think>\n")
    assert row.answer == [*renderer._tokenizer.encode("Hello").ids, renderer.end_id]


@pytest.mark.parametrize("tokenizer", ["byte-level", "with-bos"])
def test_a_completion_is_its_prompt_and_its_end(model, tokenizer):
    renderer = Renderer.load(model(None, tokenizer), chat=False)
    bos = [0] if tokenizer == "with-bos" else []
    [row] = renderer.rows(Completion("The quick", " brown fox"), 3)
    plain = renderer._tokenizer.encode("The quick", add_special_tokens=False).ids
    assert row.prompt == renderer.completion_prompt("The quick") == [*bos, *plain]
    assert row.answer[-1] == renderer.end_id == 1
    assert renderer.decode(row.answer) == " brown fox"
    assert renderer.completion_prompt("") == [0]


def test_the_config_may_ask_for_a_first_token(model, tmp_path):
    directory = write_model(tmp_path, None)
    config = json.loads((directory / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps(config | {"add_bos_token": True}))
    assert Renderer.load(directory, chat=False).completion_prompt("fox")[0] == 0


def test_what_exceeds_the_context_loses_its_end(model):
    renderer = Renderer.load(model(None), chat=False)
    [row] = renderer.rows(Completion("a", "fox " * 600), 1)
    assert len(row.prompt) + len(row.answer) == renderer.context == 512
    assert row.cut
    assert renderer.rows(Completion("fox " * 600, "a"), 1) == []


def test_developer_list_content_and_nulls(model):
    renderer = Renderer.load(model("chatml"), chat=True)
    parts = [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}]
    asked = [
        {"role": "developer", "content": parts, "name": None},
        {"role": "user", "content": "Hi", "weight": 1},
    ]
    assert renderer.prompt(asked) == renderer.prompt(say("s: Be\nbrief.", "u: Hi"))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('no') }}", "no"),
        ("{% if %}", "not valid"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe|not safe"),
        ("{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "64 MiB"),
        ("{{ 1 / 0 }}", "division"),
    ],
)
def test_a_bad_template_is_a_bad_request(tmp_path, template, reason):
    with pytest.raises(BadRequest, match=reason):
        Renderer.load(write_model(tmp_path, template), chat=True)


def test_a_directory_without_template_tokenizer_or_end(tmp_path):
    directory = write_model(tmp_path, None)
    with pytest.raises(BadRequest, match=r"chat_template\.jinja"):
        Renderer.load(directory, chat=True)
    (directory / "generation_config.json").unlink()
    (directory / "tokenizer_config.json").unlink()
    with pytest.raises(BadRequest, match="end-of-text"):
        Renderer.load(directory, chat=False)
    (directory / "tokenizer.json").write_text("{}")
    with pytest.raises(BadRequest, match="cannot be read"):
        Renderer.load(directory, chat=False)
    (directory / "tokenizer.json").unlink()
    with pytest.raises(BadRequest, match="no tokenizer"):
        Renderer.load(directory, chat=False)


def test_no_messages_is_a_bad_request(model):
    with pytest.raises(BadRequest) as caught:
        Renderer.load(model("chatml"), chat=True).prompt([])
    assert caught.value.param == "messages"
