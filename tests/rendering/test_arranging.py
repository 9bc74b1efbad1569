"""Conversations that a template does not take as they are; what is not changed where it does."""

import pytest

from rendering.models import CHATML, say
from rendering.test_tools import call, calling, result, tool
from rendering.tool_templates import HERMES, LLAMA3, MISTRAL, write_tool_model
from tunewright.dataset.examples import ChatExample
from tunewright.rendering import Renderer
from tunewright.rendering.tool_use import ToolUse

# Of public families: no system role; users and assistants in turn, a user first; a system message
# at the head only; nothing without a user; a system message left out without a word.
NO_SYSTEM = CHATML.replace(
    "\n{{ '<|im_start|>'",
    "\n{% if message.role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{{ '<|im_start|>'",
)
IN_TURN = """{%- if messages[0].role == 'system' %}{%- set rest = messages[1:] %}
    {{- messages[0].content }}
{%- else %}{%- set rest = messages %}{%- endif %}
{%- for message in rest %}
    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/...') }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
GEMMA = IN_TURN.replace("{{- messages[0].content }}", "{{- raise_exception('no system') }}")
HEAD_ONLY = CHATML.replace(
    "\n{{ '<|im_start|>'",
    "\n{% if message.role == 'system' and not loop.first %}{{ raise_exception('System first') }}"
    "{% endif %}{{ '<|im_start|>'",
)
NEEDS_USER = (
    "{% if not messages | selectattr('role', 'equalto', 'user') | list %}"
    "{{ raise_exception('No user query found in messages.') }}{% endif %}" + CHATML
)
FIRST_OF_ALL = "{% set first = messages[0]['role'] %}" + CHATML  # fails where there are none
SILENT = CHATML.replace("message in messages", "message in messages if message.role != 'system'")
UNPROMPTED = "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
BASES = {
    "chatml": CHATML, "no-system": NO_SYSTEM, "in-turn": IN_TURN, "gemma": GEMMA,
    "head-only": HEAD_ONLY, "needs-user": NEEDS_USER, "first-of-all": FIRST_OF_ALL,
    "silent": SILENT, "unprompted": UNPROMPTED, "hermes": HERMES, "llama3": LLAMA3,
}  # fmt: skip
TALKS = {
    "the assistant opens": say("a: Hello, how can I help?", "u: Q", "a: x"),
    "after a system message": say("s: Be terse.", "a: Hello!", "u: Q", "a: x"),
    "nobody asks": say("a: Hello, how can I help?"),
    "a system message": say("s: Be terse.", "u: Q", "a: x"),
    "several of them": say("s: Be terse.", "s: Be kind.", "u: Q", "a: x"),
    "one in the middle": say("s: Be terse.", "u: Q", "a: x", "s: Now rhyme.", "u: R", "a: y"),
    "one before an answer": say("u: Q", "s: Be terse.", "a: x", "u: R", "a: y"),
    "users in a row": say("u: One.", "u: Two.", "a: x", "u: R", "a: y"),
    "assistants in a row": say("u: Q", "a: x", "a: And y.", "u: R", "a: z"),
    "developer": [{"role": "developer", "content": "Be terse."}, *say("u: Q", "a: x")],
}


@pytest.fixture(scope="module")
def renderers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Renderer]:
    root = tmp_path_factory.mktemp("arranging")
    return {
        name: Renderer.load(write_tool_model(root / name, template), chat=True)
        for name, template in BASES.items()
    }


@pytest.mark.parametrize("talk", TALKS)
@pytest.mark.parametrize("name", BASES)
def test_every_prefix_of_a_talk_is_a_prompt_in_training_and_in_use(renderers, name, talk):
    renderer, messages = renderers[name], TALKS[talk]
    rows = renderer.rows(ChatExample(messages), 1)
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    assert len(rows) == len(answers)
    for row, at in zip(rows, answers, strict=True):
        assert messages[at]["content"] in renderer.decode(row.answer)
        assert row.prompt
        assert row.answer[-1] in renderer.stop_ids
        text = renderer.decode(row.prompt)
        assert all(message["content"] in text for message in messages[:at])
        if at:
            assert row.prompt == renderer.using(trained=True).prompt(messages[:at])


def test_what_a_template_takes_is_not_changed(renderers):
    chatml = renderers["chatml"]
    for messages in TALKS.values():
        if messages[0]["role"] != "developer":
            made = chatml._guarded(messages).chat
            text = chatml._template.render(messages, answer=False)
            assert chatml._teaching._render(made, answer=False) == text
        assert chatml.notices(messages) == []


def test_what_is_changed_is_said(renderers):
    def notices(name: str, talk: str) -> list[str]:
        return renderers[name].notices(TALKS[talk])

    assert notices("no-system", "a system message") == ["system_moved"]
    assert notices("silent", "a system message") == ["system_moved"]
    assert notices("head-only", "one in the middle") == ["system_moved"]
    assert notices("head-only", "a system message") == []
    assert notices("in-turn", "the assistant opens") == ["user_inserted"]
    assert notices("needs-user", "the assistant opens") == ["user_inserted"]
    assert notices("in-turn", "users in a row") == ["users_joined"]
    assert notices("in-turn", "several of them") == ["systems_joined"]


def test_a_moved_system_message_stands_before_the_users_text(renderers):
    for name in ("no-system", "gemma", "silent"):
        moved = renderers[name].prompt(TALKS["a system message"][:2])
        assert moved == renderers[name].prompt(say("u: Be terse.\n\nQ"))


def test_a_name_is_shown_or_said_not_to_be(renderers, tmp_path):
    named = [{"role": "user", "name": "Ada", "content": "Hi"}]
    assert renderers["chatml"].notices(named) == ["name_not_shown"]
    template = CHATML.replace("message.role +", "message.role + (message.name or '') +")
    knowing = Renderer.load(write_tool_model(tmp_path, template), chat=True)
    assert knowing.notices(named) == []
    assert "userAda" in knowing.decode(knowing.prompt(named))


LAST_NINE = MISTRAL.replace("call.id | length != 9", "call.id | length < 9").replace(
    "call.id + '\"}'", "call.id[-9:] + '\"}'"
)
LAST_NINE = LAST_NINE.replace("message.tool_call_id +", "message.tool_call_id[-9:] +")


@pytest.mark.parametrize("template", [HERMES, MISTRAL, LAST_NINE], ids=["any", "nine", "last-nine"])
@pytest.mark.parametrize(
    "id", ["0", "call_0", "call_12", "aB3dE6gH9", "call_" + "x" * 24, "é-漢 id"]
)
def test_an_id_of_any_length_is_the_same_in_call_and_result(tmp_path, template, id):
    renderer = Renderer.load(write_tool_model(tmp_path, template), chat=True)
    assert isinstance(renderer.tool_use, ToolUse)
    messages = [*say("u: ?"), calling(call("f", id)), result("sun", id), *say("a: Sunny.")]
    first, second = renderer.rows(ChatExample(messages, [tool("f")]), 1)
    if template == HERMES:
        return
    written = renderer.tool_use.reader(["f"])
    shown = renderer.pieces.text(first.answer).replace("</s>", "")
    assert written.push(shown) == ""
    [made] = written.finish()[1]
    assert len(made.id) == 9
    assert renderer.decode(second.prompt).count(made.id) == (2 if template != HERMES else 0)


@pytest.mark.parametrize("arguments", ["", "  ", "{}"])
def test_no_arguments_are_an_empty_object(renderers, arguments):
    made = {"role": "assistant", "tool_calls": [call("f")]}
    made["tool_calls"][0]["function"]["arguments"] = arguments
    [row] = renderers["hermes"].rows(ChatExample([*say("u: ?"), made], [tool("f")]), 1)
    assert '"arguments": {}' in renderers["hermes"].pieces.text(row.answer)
