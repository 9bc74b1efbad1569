"""What one rendering tells of the beginnings of a conversation is what each gives by itself."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from rendering.models import SOFT, SPECIAL, TEMPLATES, TOKENIZERS, say
from rendering.reasoning_templates import REASONING_TEMPLATES
from rendering.tool_templates import TOOL_TEMPLATES
from tunewright.dataset.examples import ChatExample
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer
from tunewright.rendering.beginnings import Beginnings
from tunewright.rendering.encoding import Cuts, Growing, ids_of
from tunewright.rendering.templates import ChatTemplate

CONSTANTS = {"bos_token": "<s>", "eos_token": "</s>", "enable_thinking": False}
ASKS = "{% if add_generation_prompt %}<a>{% endif %}"
BODY = "{{ m.role }}: {{ m.content }}\n"
# Each looks ahead, or reads behind the loop what was set in it, in a way of its own.
SLY = {
    "length": "{% for m in messages %}{{ loop.length }}" + BODY + "{% endfor %}" + ASKS,
    "counted": "{{ messages | length }}{% for m in messages %}" + BODY + "{% endfor %}" + ASKS,
    "last": "{% for m in messages %}" + BODY + "{% if loop.last %}!{% endif %}{% endfor %}" + ASKS,
    "last, sometimes": "{% for m in messages %}{% if m.content == 'b' and loop.last %}!{% endif %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "last, first of all": "{% for m in messages %}{% set end = loop.last %}"
    + BODY
    + "{{ end }}{% endfor %}"
    + ASKS,
    "last, by name": "{% for m in messages %}" + BODY + "{{ loop['last'] }}{% endfor %}" + ASKS,
    "last, by a filter": "{% for m in messages %}"
    + BODY
    + "{{ loop | attr('last') }}{% endfor %}"
    + ASKS,
    "last, in a macro": "{% macro end(l) %}{{ l.last }}{% endmacro %}{% for m in messages %}"
    + BODY
    + "{{ end(loop) }}{% endfor %}"
    + ASKS,
    "the next": "{% for m in messages %}" + BODY + "{{ loop.nextitem }}{% endfor %}" + ASKS,
    "the next, by number": "{% for m in messages %}"
    + BODY
    + "{{ messages[loop.index].content }}{% endfor %}"
    + ASKS,
    "the last of all": "{{ messages[-1].content }}{% for m in messages %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "the last behind": "{% for m in messages %}"
    + BODY
    + "{% endfor %}{{ messages[-1].content }}"
    + ASKS,
    "the last under another name": "{% set all = messages %}{% for m in messages %}"
    + BODY
    + "{% endfor %}{{ all[-1].content }}"
    + ASKS,
    "a list first": "{% for m in messages | list %}" + BODY + "{% endfor %}" + ASKS,
    "backwards": "{% for m in messages | reverse %}" + BODY + "{% endfor %}" + ASKS,
    "backwards by a slice": "{% for m in messages[::-1] %}" + BODY + "{% endfor %}" + ASKS,
    "pairs": "{% for m in messages | batch(2) %}{{ m | length }}" + "{% endfor %}" + ASKS,
    "chosen": "{% for m in messages if m.role != 'user' %}" + BODY + "{% endfor %}" + ASKS,
    "chosen by a filter": "{% for m in messages | rejectattr('role', 'eq', 'user') %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "numbers": "{% for at in range(messages | length) %}{{ messages[at].content }}{% endfor %}"
    + ASKS,
    "without the first": "{{ messages[0].role }}{% for m in messages[1:] %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "without two": "{% set rest = messages[2:] %}{% if rest %}+{% endif %}{% for m in rest %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "the first two": "{% for m in messages[:2] %}" + BODY + "{% endfor %}" + ASKS,
    "all but one": "{% for m in messages[:-1] %}" + BODY + "{% endfor %}" + ASKS,
    "state behind": "{% set ns = namespace(last='') %}{% for m in messages %}"
    + BODY
    + "{% set ns.last = m.role %}{% endfor %}{{ ns.last }}"
    + ASKS,
    "state under another name": "{% set ns = namespace(last='') %}{% set o = ns %}"
    + "{% for m in messages %}"
    + BODY
    + "{% set ns.last = m.role %}{% endfor %}{{ o.last }}"
    + ASKS,
    "state within": "{% set ns = namespace(n=0) %}{% for m in messages %}"
    + "{% set ns.n = ns.n + 1 %}{{ ns.n }}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "two loops": "{% for m in messages %}{{ m.role[0] }}{% endfor %}{% for m in messages %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "a loop within": "{% for m in messages %}{% for o in messages %}{{ o.role[0] }}{% endfor %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "a loop within that stops": "{% for m in messages %}{% for o in messages %}{{ o.role }}"
    + "{% break %}{% endfor %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "a loop over something else": "{% for x in [1, 2] %}{% for m in messages %}"
    + BODY
    + "{% endfor %}{% endfor %}"
    + ASKS,
    "break": "{% for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "continue": "{% for m in messages %}{% if m.role == 'user' %}{% continue %}{% endif %}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "else": "{% for m in messages if m.content == 'd' %}"
    + BODY
    + "{% else %}nothing{% endfor %}"
    + ASKS,
    "recursive": "{% for m in messages recursive %}" + BODY + "{% endfor %}" + ASKS,
    "inside": "{% if messages %}{% for m in messages %}" + BODY + "{% endfor %}{% endif %}" + ASKS,
    "in a filter": "{% filter upper %}{% for m in messages %}"
    + BODY
    + "{% endfor %}{% endfilter %}"
    + ASKS,
    "kept": "{% set all %}{% for m in messages %}" + BODY + "{% endfor %}{% endset %}{{ all }}",
    "dumped": "{{ messages | tojson }}{% for m in messages %}" + BODY + "{% endfor %}" + ASKS,
    "compared": "{{ messages == [] }}{% for m in messages %}" + BODY + "{% endfor %}" + ASKS,
    "added": "{% for m in messages + [messages[0]] %}" + BODY + "{% endfor %}" + ASKS,
    "asked in the loop": "{% for m in messages %}{{ add_generation_prompt }}"
    + BODY
    + "{% endfor %}",
    "the one before": "{% for m in messages %}{{ loop.previtem.role if loop.previtem }}"
    + BODY
    + "{% endfor %}"
    + ASKS,
    "calls": "{% for m in messages %}"
    + BODY
    + "{% for c in [1, 2] %}{{ ',' if not loop.last }}{% endfor %}{% endfor %}"
    + ASKS,
}
ALL = {**TEMPLATES, **REASONING_TEMPLATES, **TOOL_TEMPLATES, **SLY}
TALKS = [
    say("s: x", "u: a", "a: b", "u: c", "a: d", "u: e", "a: f"),
    say("u: a", "a: b", "u: c", "a: d", "u: e", "a: f"),
    say("u: a", "a: b", "a: b", "u: c", "u: d", "s: b", "a: </think> f"),
]
TELLING = {"chatml", "chatml-tracked", "llama", "llama2", "calls", "the one before", "state within"}


def _told(
    template: ChatTemplate, talk: list[dict[str, Any]], *, answer: bool
) -> Iterator[tuple[int, str]]:
    told: Beginnings | None = template.beginnings(talk, answer=answer)
    for count in range(1, len(talk) + 1):
        text = told.first(count) if told else None
        if text is not None:
            yield count, text


@pytest.mark.parametrize("name", ALL)
def test_a_beginning_that_is_told_is_what_it_gives_alone(name):
    template = ChatTemplate(ALL[name], **CONSTANTS)
    for talk in TALKS:
        for answer in (False, True):
            for count, text in _told(template, talk, answer=answer):
                assert text == template.render(talk[:count], answer=answer), (count, answer)


@pytest.mark.parametrize("name", TELLING)
def test_templates_that_go_through_the_messages_once_tell_all(name):
    template = ChatTemplate(ALL[name], **CONSTANTS)
    talk = TALKS[1]
    for answer in (False, True):
        assert len(list(_told(template, talk, answer=answer))) == len(talk)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_rows_of_a_long_conversation_are_those_of_its_beginnings(model, template, tokenizer):
    renderer = Renderer.load(model(template, tokenizer), chat=True)
    talk = say(*["u: a <|im_end|> b", "a: The fox", "u: 12 times", "a: 144 quick </s>"] * 4)
    rows = list(renderer.whole_rows(ChatExample(talk), 1))
    ends = [at for at, message in enumerate(talk, 1) if message["role"] == "assistant"]
    for row, end in zip(rows, ends, strict=True):
        *_, alone = renderer.whole_rows(ChatExample([*_unlearned(talk[:end]), talk[end - 1]]), 1)
        assert (row.prompt, row.answer) == (alone.prompt, alone.answer)


def _unlearned(talk: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [m | {"weight": 0} if m["role"] == "assistant" else m for m in talk[:-1]]


def test_a_long_conversation_is_rendered_twice_whatever_its_length(model, monkeypatch):
    renderer = Renderer.load(model("chatml"), chat=True)
    rendered = []
    render = ChatTemplate._render

    def count(self, turns, given, watch=None):
        rendered.append(len(turns._turns if watch else turns))
        return render(self, turns, given, watch)

    monkeypatch.setattr(ChatTemplate, "_render", count)
    rows = list(renderer.whole_rows(ChatExample(say(*["u: a", "a: b"] * 100)), 1))
    assert len(rows) == 100
    probes = 4  # turns of a talk with which the traits of a template are found
    assert [size for size in rendered if size > probes] == [200, 199]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_texts_that_grow_are_encoded_as_each_alone(model, tokenizer):
    renderer = Renderer.load(model("chatml", tokenizer), chat=True)
    plain = renderer._tokenizer
    growing = Growing(plain, Cuts(plain))
    draw = random.Random(1)
    words = [*SPECIAL, *SOFT, " ", "\n", "fox", "▁", "ü", "<|im_", "end|>", "a b", "</"]
    text = ""
    for _ in range(300):
        if draw.random() < 0.2:
            text = text[: draw.randint(0, len(text))]
        text += "".join(draw.choices(words, k=draw.randint(0, 4)))
        assert growing.encode(text) == ids_of(plain, text)


def test_a_refusal_in_a_long_conversation_is_that_of_its_turn(model):
    renderer = Renderer.load(model("llama"), chat=True)
    talk = [*say(*["u: a", "a: b"] * 6), {"role": "tool", "content": "x", "tool_call_id": "c"}]
    rows = renderer.whole_rows(ChatExample([*talk, *say("a: c")]), 1)
    with pytest.raises(BadRequest):
        list(rows)
