"""A base whose template is used otherwise for a request."""

from datetime import datetime

import pytest

from rendering.models import say, write_model
from tunewright.kept import Kept
from tunewright.rendering import Renderer
from tunewright.rendering.renderer import _KEPT
from tunewright.rendering.templates import ChatTemplate


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What templates write from now on."""
    texts: list[str] = []
    render = ChatTemplate._render

    def keep(self, *given):
        texts.append(render(self, *given))
        return texts[-1]

    monkeypatch.setattr(ChatTemplate, "_render", keep)
    return texts


def test_what_is_given_again_is_not_probed_again(model, rendered):
    renderer = Renderer.load(model("forgetful"), chat=True)

    def ask(effort: object, day: int) -> list[int]:
        tuned = renderer.using({"enable_thinking": True}, at=datetime(2026, 1, day), trained=True)
        return tuned.using({"effort": effort}).prompt(say("u: Hi"))

    first = ask("high", 1)
    del rendered[:]
    assert ask("high", 1) == first
    assert len(rendered) == 1
    for other in (("low", 1), ("high", 2), ("x" * 2_000, 1)):
        del rendered[:]
        ask(*other)
        assert len(rendered) > 1
    for effort in range(_KEPT):
        ask(effort, 1)
    del rendered[:]
    assert ask("high", 1) == first
    assert len(rendered) > 1  # only so many are kept


@pytest.mark.parametrize("name", ["watch", "turns", "given", "answer", "variables"])
def test_a_variable_may_have_any_name(model, tmp_path, name):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}{{ " + name + " }}"
    renderer = Renderer.load(write_model(tmp_path, template), chat=True)
    # Fenced text goes another way than plain values do.
    for value, text in (("dog", "dog"), ("</s>", "</s>"), (7, "7")):
        assert renderer.decode(renderer.using({name: value}).prompt(say("u: fox"))) == "fox" + text


def test_kwargs_and_dates_stay_apart(model):
    renderer = Renderer.load(model("qwen3"), chat=True)
    spoken = Renderer.load(model("spoken"), chat=True)
    for _ in range(2):
        thinking = renderer.using({"enable_thinking": True}).prompt(say("u: Hi"))
        assert renderer.decode(thinking) != renderer.decode(renderer.prompt(say("u: Hi")))
        dates = [
            spoken.decode(spoken.using(at=datetime(year, 1, 1)).using({"a": 1}).prompt(say("u: x")))
            for year in (1999, 2026)
        ]
        assert [" 19" in dates[0], " 20" in dates[1]] == [True, True]


def test_of_renderers_those_that_were_used_last_are_kept():
    made = list[str]()
    kept = Kept[str](most=2)

    def get(name: str) -> str:
        def make() -> str:
            made.append(name)
            return name

        return kept.get(name, make)

    assert [get(name) for name in "abacab"] == list("abacab")
    assert made == ["a", "b", "c", "b"]  # c took the place of b, which was used before a
