"""A template in use: what it writes for a prompt, and what of a conversation is its answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tunewright.errors import BadRequest
from tunewright.records.messages import REASONING_KEYS
from tunewright.rendering.beginnings import Beginnings
from tunewright.rendering.templates import ChatTemplate
from tunewright.rendering.traits import Traits, arrange, is_system
from tunewright.rendering.turns import Tool, Turn

_PROBE = "aprobeanswer"
_USER: Turn = {"role": "user", "content": "aprobequestion"}
_SHOWN = 60  # characters of a rendering in a message
_FEW = 3  # answers: rendering each is as fast


@dataclass(frozen=True)
class Chat:
    """A conversation in the template's form. `variables`: values that it reads, where they differ
    from those of the dialogue: fenced ones. `known`: what its beginnings give, as it is and opened
    for an answer."""

    turns: Sequence[Turn]
    tools: Sequence[Tool] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[bool, Beginnings | None] = field(default_factory=dict)

    def first(self, count: int) -> "Chat":
        return replace(self, turns=self.turns[:count])


class Dialogue:
    """`trained`: prompts end where training lets answers begin.

    Some templates open a prompt with more than they keep of an answer (DeepSeek R1: ``<think>``).
    What is trained is what the template keeps, so a tuned model is prompted without the rest.
    """

    def __init__(self, template: ChatTemplate, traits: Traits, *, trained: bool = False) -> None:
        self.template = template
        self.traits = traits
        self._trained = trained

    def prompt(self, chat: Chat) -> str:
        """The conversation, opened for an answer. Raises BadRequest where it is refused."""
        return self._opened(chat).removesuffix(self._dropped if self._trained else "")

    def pairs(self, chat: Chat, ends: Sequence[int]) -> Iterator[tuple[str, str]]:
        """The `pair` of the first so many turns, for each of `ends`, which rise."""
        if len(ends) > _FEW:
            chat = self._foreseen(chat, ends[-1])
        for end in ends:
            yield self.pair(chat.first(end))

    def _foreseen(self, chat: Chat, end: int) -> Chat:
        """With what two renderings tell of all others."""
        if arrange(chat.turns, self.traits, for_prompt=False).changes:
            return chat
        known = {
            answer: self.template.beginnings(
                chat.turns[: end - answer],
                answer=answer,
                tools=chat.tools,
                variables=chat.variables,
            )
            for answer in (False, True)
        }
        return replace(chat, known=known)

    def pair(self, chat: Chat) -> tuple[str, str]:
        """The prompt of the last turn, and what the template writes for that turn after it.

        Together they are the rendering of the whole, to the letter. Where the template writes what
        stands before otherwise once it is answered, the prompt is the one that serving would give,
        and the answer what follows the same opening. Raises BadRequest where there is no such
        place, or the template refuses the conversation.
        """
        whole = self._render(chat, answer=False)
        prompt = self._prompt_or_none(chat.first(len(chat.turns) - 1))
        if prompt is not None and whole.startswith(prompt):
            opening = prompt
        else:
            opening = self._opening(chat, whole)
            kept = self._kept
            if prompt is None:
                prompt = opening
            elif not (kept and opening.endswith(kept) and prompt.endswith(kept)):
                raise _apart(prompt, whole)
        answer = whole.removeprefix(opening)
        if not answer.strip() and chat.turns[-1].get("content", "").strip():
            raise _refused("it leaves this answer out")
        return prompt, answer

    def _prompt_or_none(self, before: Chat) -> str | None:
        """None where it is no conversation alone, though the template takes what comes of it."""
        try:
            return self.prompt(before)
        except BadRequest:
            return None

    def _opening(self, chat: Chat, whole: str) -> str:
        """What stands before the text of the last turn. Raises BadRequest where it is not found."""
        last = {k: v for k, v in chat.turns[-1].items() if k not in REASONING_KEYS}
        probed = Chat([*chat.turns[:-1], {**last, "content": _PROBE}], chat.tools, chat.variables)
        opening, found, _ = self._render(probed, answer=False).partition(_PROBE)
        if self._kept and self._kept in opening:  # not what the template opens the answer with
            opening = opening[: opening.rindex(self._kept) + len(self._kept)]
        if not found or not whole.startswith(opening):
            raise _apart(opening, whole)
        return opening

    @cached_property
    def _dropped(self) -> str:
        """The end of a prompt that is not there once it is answered."""
        return self._ends[1]

    @cached_property
    def _kept(self) -> str:
        """What opens an answer: the rest of what a prompt adds to its conversation."""
        return self._ends[0]

    @cached_property
    def _ends(self) -> tuple[str, str]:
        asked = Chat([_USER])
        opened, closed = self._opened(asked), self._render(asked, answer=False)
        answered = Chat([_USER, {"role": "assistant", "content": _PROBE}])
        before, found, _ = self._render(answered, answer=False).partition(_PROBE)
        added = opened.removeprefix(closed) if opened.startswith(closed) else ""
        if not found or before.startswith(opened):
            return added, ""
        kept = _common(opened, before)
        dropped = opened[len(kept) :]
        return added.removesuffix(dropped), dropped if added.endswith(dropped) else ""

    def _opened(self, chat: Chat) -> str:
        return self._render(chat, answer=True)

    def _render(self, chat: Chat, *, answer: bool) -> str:
        known = chat.known.get(answer)
        if known and not all(is_system(turn["role"]) for turn in chat.turns):
            text = known.first(len(chat.turns))
            if text is not None:
                return text
        turns = arrange(chat.turns, self.traits, for_prompt=answer).turns
        return self.template.render(
            turns, answer=answer, tools=chat.tools, variables=chat.variables
        )


def _common(one: str, other: str) -> str:
    """What both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return one[: next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))]


def _refused(why: str) -> BadRequest:
    what = f"The model's chat template refuses these messages: {why}"
    return BadRequest(what, param="messages", code="template_refused")


def _apart(prompt: str, whole: str) -> BadRequest:
    at = len(_common(prompt, whole))
    return _refused(
        f"it begins this answer with {prompt[at : at + _SHOWN]!r} in the prompt, but writes "
        f"{whole[at : at + _SHOWN]!r} there in the whole conversation, so the model could never be "
        "asked for this answer. If the answer contains reasoning, chat_template_kwargs may have to "
        "turn reasoning on"
    )
