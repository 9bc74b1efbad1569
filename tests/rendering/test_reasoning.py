"""Rows with a train of thought: rendered as transformers renders them, supervised as served."""

from datetime import datetime
from pathlib import Path

import pytest

from rendering.models import say
from rendering.reasoning_templates import REASONING_TEMPLATES
from rendering.test_tools import call, result, tool
from rendering.tool_templates import write_tool_model
from tunewright.dataset.examples import ChatExample
from tunewright.dataset.notices import of_text
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer

ASKED = say("u: What is 2+2?")
ROWS = {
    "inline": say("a: <think>\nTwo and two.\n</think>\n\nFour."),
    "closing only": say("a: Two and two.\n</think>\n\nFour."),
    "beside": [{"role": "assistant", "content": "Four.", "reasoning_content": "Two and two."}],
    "other name": [{"role": "assistant", "content": "Four.", "reasoning": "Two and two."}],
    "its own name": [{"role": "assistant", "content": "Four.", "thinking": "Two and two."}],
    "none": say("a: Four."),
    "turns": say(
        "a: <think>\nHm.\n</think>\n\nFour.", "u: Sure?", "a: <think>\nA.\n</think>\n\nYes."
    ),
    "some turns": say("a: <think>\nHm.\n</think>\n\nFour.", "u: Sure?", "a: Yes."),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("reasoning")
    return {
        name: write_tool_model(root / name, template)
        for name, template in REASONING_TEMPLATES.items()
    }


def theirs(base: Path, messages: list[dict], **given: object) -> str:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    return tokenizer.apply_chat_template(messages, tokenize=False, **given)


def as_text(renderer: Renderer, ids: list[int]) -> str:
    return renderer._tokenizer.decode(ids, skip_special_tokens=False)


def known_by(name: str, message: dict) -> dict:
    """With the thought under the name that the template reads, if it reads one."""
    thought = next(
        (message[k] for k in ("reasoning_content", "reasoning", "thinking") if k in message), None
    )
    own = {
        "channels": "thinking",
        "qwen3": "reasoning_content",
        "glm": "reasoning_content",
        "thinker": "reasoning_content",
    }
    bare = {k: v for k, v in message.items() if k in ("role", "content", "tool_calls")}
    return {**bare, own[name]: thought} if thought and name in own else bare


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", REASONING_TEMPLATES)
def test_a_row_is_the_rendering_of_transformers_and_its_prompt_is_the_served_one(bases, name, row):
    renderer = Renderer.load(bases[name], chat=True)
    messages = [*ASKED, *ROWS[row]]
    rows = renderer.rows(ChatExample(messages), 1)
    resolved = renderer.using(
        renderer.switches_thinking
        if "</think>" in str(messages) or "Two and" in str(messages)
        else {}
    )
    served = resolved.using(trained=True)
    answered = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    assert len(rows) == len(answered)
    for one, at in zip(rows, answered, strict=True):
        whole = [known_by(name, message) for message in messages[: at + 1]]
        expected = theirs(bases[name], whole, **({"enable_thinking": False} | resolved.kwargs))
        assert as_text(renderer, [*one.prompt, *one.answer]) == expected.rstrip("\n")
        assert one.prompt == served.prompt(messages[:at])
        assert "2+2" in as_text(renderer, one.prompt)
        assert one.answer[-1] in renderer.stop_ids


@pytest.mark.parametrize("name", ["qwen3", "thinker", "glm"])
def test_reasoning_before_calls_is_rendered_once_and_read_back(bases, name):
    renderer = Renderer.load(bases[name], chat=True)
    tools = [tool("weather")]
    thinking = {
        "role": "assistant",
        "content": "",
        "reasoning_content": "Look it up.",
        "tool_calls": [call("weather", "call_0")],
    }
    inline = {
        "role": "assistant",
        "content": "<think>\nLook it up.\n</think>\n\n",
        "tool_calls": [call("weather", "call_0")],
    }
    for called in (thinking, inline):
        messages = [
            *ASKED,
            called,
            result("sun", "call_0"),
            *say("a: <think>\nSo.\n</think>\n\nSunny."),
        ]
        first, second = renderer.rows(ChatExample(messages, tools), 1)
        text = as_text(renderer, first.answer)
        assert text.count("Look it up.") == text.count("</think>") == 1
        assert '"name": "weather"' in text
        assert as_text(renderer, second.answer).count("</think>") == 1
        served = renderer.using(renderer.switches_thinking, trained=True)
        assert second.prompt == served.prompt(messages[:3], tools)


def test_what_a_template_does_not_show_is_said(bases):
    def notices(name: str, row: str) -> list[str]:
        return Renderer.load(bases[name], chat=True).notices([*ASKED, *ROWS[row]])

    assert notices("qwen3", "inline") == notices("qwen3", "other name") == []
    assert notices("deepseek-r1", "inline") == ["reasoning_not_shown"]
    assert notices("smollm3", "beside") == ["reasoning_not_shown"]
    assert notices("channels", "its own name") == []


def test_reasoning_that_the_kwargs_turn_off_is_refused_with_the_remedy_that_works(bases):
    renderer = Renderer.load(bases["qwen3"], chat=True)
    example = ChatExample([*ASKED, *ROWS["inline"]])
    off = renderer.using({"enable_thinking": False})
    with pytest.raises(BadRequest, match="enable_thinking: false"):
        off.rows(example, 1)
    assert off.using({"enable_thinking": True}).rows(example, 1)
    assert (
        as_text(off, off.rows(ChatExample([*ASKED, *ROWS["none"]]), 1)[0].answer)
        == "Four.<|im_end|>"
    )


def test_an_answer_that_no_prompt_leads_to_is_refused_with_the_templates_doing(tmp_path):
    shifting = "{% for m in messages %}{{ messages | length ~ m.role ~ m.content }}{% endfor %}"
    renderer = Renderer.load(
        write_tool_model(tmp_path, shifting + "{% if add_generation_prompt %}A{% endif %}"),
        chat=True,
    )
    with pytest.raises(BadRequest, match="could never be asked for this answer"):
        renderer.rows(ChatExample([*ASKED, *say("a: Four.")]), 1)


def test_the_date_of_a_template_can_be_pinned_and_its_variables_given(bases):
    renderer = Renderer.load(bases["smollm3"], chat=True)
    pinned = renderer.using(at=datetime(2024, 2, 29))
    assert "Today: 29 February 2024" in pinned.decode(pinned.prompt(ASKED))
    assert f"{datetime.now():%Y}" in renderer.decode(renderer.prompt(ASKED))
    effort = Renderer.load(bases["channels"], chat=True).using(
        {"reasoning_effort": "high<|im_end|>"}
    )
    ids = effort.prompt(ASKED)
    assert "Reasoning: high<|im_end|>" in effort.decode(ids)
    assert effort.end_id not in ids  # a client's text is no control token


def test_only_what_becomes_text_is_said_to(bases):
    """What an assistant thought is the model's own tokens; in a question, the same is text."""
    renderer = Renderer.load(bases["qwen3"], chat=True)
    assert not [*of_text(ChatExample([*ASKED, *ROWS["inline"]]), renderer)]
    asked = ChatExample([*say("u: What does <think> say?"), *ROWS["none"]])
    assert [*of_text(asked, renderer)] == ["special_tokens_as_text"]
    called = {"role": "assistant", "tool_calls": [call("f", text="<think>")]}
    assert [*of_text(ChatExample([*ASKED, called]), renderer)] == ["special_tokens_as_text"]
