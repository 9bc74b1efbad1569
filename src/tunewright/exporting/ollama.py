"""The Modelfile beside a GGUF file: FROM, the chat template in Go's syntax, and its parameters.

A base's template is a program, and Ollama's language is a small one. So the template is not
translated: conversations are rendered, the text before and behind each role's words is found, and a
Go template of these parts is written. Then it is tried, by the same rules as Ollama's, on other
conversations; what it does not render as the base's own template does is refused by name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.errors import BadRequest
from tunewright.rendering import Renderer

_SYSTEM, _USER, _ANSWER = "Sys-0-tem", "Us-1-er", "Ans-2-wer"
Turns = Sequence[tuple[str, str]]
_TRIED: tuple[Turns, ...] = (
    (("user", "One"),),
    (("user", "One"), ("assistant", "Two"), ("user", "Three?")),
    (("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"), ("user", "5")),
)
_SYSTEMS: tuple[Turns, ...] = tuple((("system", "Be brief."), *turns) for turns in _TRIED)


@dataclass(frozen=True)
class Parts:
    """opening: what a conversation begins with. default: what stands for a system message where
    there is none. Of each role, what stands before and behind its words. answer: what opens the
    answer that is to be generated."""

    opening: str
    default: str
    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    answer: str

    def rendered(self, turns: Turns) -> str:
        """By Ollama's rules."""
        of = {"system": self.system, "user": self.user, "assistant": self.assistant}
        before = "" if turns[0][0] == "system" else self.default
        said = [of[role][0] + words + of[role][1] for role, words in turns]
        return self.opening + before + "".join(said) + self.answer

    def template(self) -> str:
        roles = ("system", self.system), ("user", self.user), ("assistant", self.assistant)
        written = _literal(self.opening)
        if self.default:
            written += "{{ if not .System }}" + _literal(self.default) + "{{ end }}"
        written += "{{ range .Messages }}"
        for at, (role, (before, behind)) in enumerate(roles):
            written += f'{{{{ {"else " if at else ""}if eq .Role "{role}" }}}}'
            written += f"{_literal(before)}{{{{ .Content }}}}{_literal(behind)}"
        return written + "{{ end }}{{ end }}" + _literal(self.answer)


def modelfile(
    renderer: Renderer, file: str, stops: Sequence[str], licence: str | None, bos: str | None
) -> str:
    """bos: the text that is put before every prompt without the template. Raises BadRequest where
    the chat template cannot be expressed."""
    chat = renderer.is_chat
    template = parts_of(renderer, bos, stops).template() if chat else "{{ .Prompt }}"
    lines = [
        f"FROM ./{file}",
        f"TEMPLATE {_quoted(template)}",
        f"PARAMETER num_ctx {renderer.context}",
        *(f"PARAMETER stop {_quoted(stop)}" for stop in stops),
        *([f"LICENSE {_quoted(licence)}"] if licence else []),
    ]
    return "\n".join(lines) + "\n"


def parts_of(renderer: Renderer, bos: str | None, stops: Sequence[str]) -> Parts:
    """stops: where an answer ends. Raises BadRequest naming the conversation that would be rendered
    otherwise."""

    def text(turns: Turns) -> str:
        messages: list[Any] = [{"role": role, "content": words} for role, words in turns]
        whole = renderer.prompt_text(messages)
        return whole.removeprefix(bos) if bos else whole

    found = _parts(text, stops)
    for turns in (*_TRIED, *_SYSTEMS):
        if found.rendered(turns) != text(turns):
            said = ", ".join(role for role, _ in turns)
            raise _refused(f"a conversation of {said} would be rendered otherwise")
    return found


def _parts(text: Callable[[Turns], str], stops: Sequence[str]) -> Parts:
    alone = text((("user", _USER),))
    asked = text((("system", _SYSTEM), ("user", _USER)))
    again = text((("user", _USER), ("assistant", _ANSWER), ("user", _USER + "2")))
    if asked.count(_SYSTEM) != 1 or again.count(_ANSWER) != 1 or alone.count(_USER) != 1:
        raise _refused("it shows words of a message twice, or not at all")
    begin, _, end = alone.partition(_USER)
    between, _, second = again.partition(_USER)[2].partition(_ANSWER)
    second = second.partition(_USER)[0]  # behind an answer, and before the next question
    before_system, _, after_system = asked.partition(_SYSTEM)
    after_system = after_system.partition(_USER)[0]

    user_before = _shared_end(begin, _behind_stop(second, stops), after_system)
    first = begin.removesuffix(user_before)
    opening = "" if first.startswith(before_system) else _shared_beginning(first, before_system)
    system = before_system.removeprefix(opening), after_system.removesuffix(user_before)
    assistant_behind = second.removesuffix(user_before)
    user_behind = _behind_user(end, between, (assistant_behind, system[1]))
    return Parts(
        opening=opening,
        default=first.removeprefix(opening),
        system=system,
        user=(user_before, user_behind),
        assistant=(between.removeprefix(user_behind), assistant_behind),
        answer=end.removeprefix(user_behind),
    )


def _behind_stop(text: str, stops: Sequence[str]) -> str:
    """What follows where an answer ends; all of it where no stop is seen."""
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    return text[min(ends, default=0) :].lstrip("\n" if ends else "")


def _behind_user(end: str, between: str, ends_of_others: Sequence[str]) -> str:
    """A user's end and an assistant's beginning meet without a mark: of what stands there in any
    case, what ends other messages as well, else all of it."""
    for behind in ends_of_others:
        if behind and end.startswith(behind) and between.startswith(behind):
            return behind
    return _shared_beginning(end, between)


def _shared_end(*texts: str) -> str:
    return _shared_beginning(*(text[::-1] for text in texts))[::-1]


def _shared_beginning(*texts: str) -> str:
    shortest = min(texts, key=len)
    pairs = enumerate(zip(*texts, strict=False))
    return shortest[: next((at for at, each in pairs if len(set(each)) > 1), len(shortest))]


def _literal(text: str) -> str:
    """As Go's templates take it."""
    return "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    while "{{" in text:
        before, _, text = text.partition("{{")
        yield before + '{{ "{{" }}'
    yield text


def _quoted(text: str) -> str:
    if '"""' in text or text.endswith('"'):
        raise _refused('it holds """, which a Modelfile cannot')
    return f'"""{text}"""' if "\n" in text or '"' in text else f'"{text}"'


def _refused(why: str) -> BadRequest:
    return BadRequest(
        f"The chat template of this model cannot be expressed as Ollama's: {why}. Export it with "
        "'to': 'gguf', which carries its own template, for llama.cpp.",
        param="to",
        code="not_expressible",
    )
