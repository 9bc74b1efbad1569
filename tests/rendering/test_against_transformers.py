"""Text and ids equal those of transformers' apply_chat_template."""

import pytest

from rendering.models import TEMPLATES, TOKENIZERS, say
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer

CONVERSATIONS = {
    "one turn": say("u: What is the capital of France?"),
    "answered": say("u: Hi there", "a: Hello, fox."),
    "three turns": say("u: a", "a: b", "u: 12 times 12?", "a: 144", "u: sure?"),
    "system": say("s: You are sarcastic.", "u: Hi", "a: Oh great.", "u: Bye"),
    "thoughts": say("u: Hi", "a: <think>\nhm, a fox\n</think>\n\nHello", "u: again"),
    "spaces": say("u:   padded \n\n", "a: \n  indented\n    code  \n"),
    "html": say("u: <b>\"bold\"</b> & 'quoted' \\ {{ messages }} {% raw %}"),
    "unicode": say("u: 漢字 🙂 👩‍👩‍👧 مرحبا \u202e rtl", "a: naïve Größe \u2028 line"),
}


def moved(messages):
    if messages[0]["role"] != "system":
        return messages
    system, user, *others = messages
    return [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *others]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("opened", [True, False], ids=["opened", "closed"])
def test_ids_and_text_equal_those_of_transformers(model, template, tokenizer, opened):
    transformers = pytest.importorskip("transformers")
    directory = model(template, tokenizer)
    theirs = transformers.AutoTokenizer.from_pretrained(directory)
    compared = 0
    for thinking in (False, True):
        ours = Renderer.load(directory, chat=True, thinking=thinking)
        for messages in CONVERSATIONS.values():
            given = {"add_generation_prompt": opened, "enable_thinking": thinking}
            if template == "llama2":  # it takes no system message
                messages = moved(messages)
            try:
                text = theirs.apply_chat_template(messages, tokenize=False, **given)
            except Exception:
                with pytest.raises(BadRequest, match="template") as caught:
                    ours.prompt(messages)
                assert caught.value.param == "messages"
                continue
            ids = theirs.apply_chat_template(messages, return_dict=False, **given)
            assert ours._template.render(messages, answer=opened) == text
            assert ours._encode(text, None) == ids
            if opened:
                assert ours.prompt(messages) == ids
            compared += 1
    assert compared >= 6


def test_a_system_message_that_a_template_refuses_stands_before_the_users_text(model):
    ours = Renderer.load(model("llama2"), chat=True)
    given = CONVERSATIONS["system"]
    assert ours.prompt(given) == ours.prompt(moved(given))
    assert ours.notices(given) == ["system_moved"]
    with pytest.raises(BadRequest, match="system_role"):
        ours.using(moves_system=False).prompt(given)
