"""What a chat template takes, found once for a base by trying it; conversations put accordingly.

Published templates differ in what they refuse: a system message (Gemma), one in the middle, a talk
that the assistant opens, two turns of one speaker (Llama 2, Mistral). Some of them refuse by
leaving out. Where a template takes a conversation, nothing is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from tunewright.errors import BadRequest
from tunewright.records.messages import REASONING_KEYS
from tunewright.rendering.templates import ChatTemplate
from tunewright.rendering.turns import Turn

SEAM = "\n\n"  # between texts that become one
SWITCHES = ("enable_thinking", "thinking")  # variables that templates read
_TEXTS = ("aprobefirst", "bprobesecond", "cprobethird", "dprobefourth")
_ROLES = {"s": "system", "u": "user", "a": "assistant"}


def is_system(role: object) -> bool:
    return role in ("system", "developer")


class Traits:
    """Of one template, with the values of its variables. Each is looked at when first asked."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template

    @cached_property
    def takes_system(self) -> bool:
        return self._takes("su")

    @cached_property
    def takes_several_systems(self) -> bool:
        return self._takes("ssu")

    @cached_property
    def takes_later_system(self) -> bool:
        return self._takes("uasu")

    @cached_property
    def takes_opening_assistant(self) -> bool:
        """Whether all of a talk that the assistant opens is taken, and each part alone."""
        system = not self.takes_system or (self._takes("sau") and self._takes("s"))
        return system and self._takes("au") and self._takes("a")

    @cached_property
    def takes_users_together(self) -> bool:
        return self._takes("uu")

    @cached_property
    def takes_assistants_together(self) -> bool:
        return self._takes("uaau")

    @cached_property
    def named(self) -> frozenset[str]:
        """The roles whose ``name`` the model is shown."""
        return frozenset(role for role in ("system", "user", "assistant") if self._shows_name(role))

    @cached_property
    def reasoning(self) -> str | None:
        """The key of a turn that the template reads reasoning from."""
        found = (key for key in REASONING_KEYS if self._shows({key: _TEXTS[2]}))
        return next(found, None)

    @cached_property
    def reads_inline_reasoning(self) -> bool:
        """Whether a thought that stands in the content, between its marks, is shown."""
        return self._shows({"content": f"<think>\n{_TEXTS[2]}\n</think>\n\n{_TEXTS[1]}"})

    @cached_property
    def switch(self) -> str | None:
        """The variable that turns reasoning on and off."""
        named = (name for name in SWITCHES if name in self._template.source)
        return next((name for name in named if self._switches(name)), None)

    def _switches(self, name: str) -> bool:
        states = [self._template.using({name: on}) for on in (False, True)]
        return len({self._text(state, _talk("u")) for state in states}) == len(states)

    @property
    def shows_reasoning(self) -> bool:
        return self.reasoning is not None or self.reads_inline_reasoning

    def _takes(self, speakers: str) -> bool:
        """Whether a talk is rendered with all of its texts."""
        text = self._text(self._template, _talk(speakers), answer=speakers[-1] != "a")
        return text is not None and all(_TEXTS[at] in text for at in range(len(speakers)))

    def _shows_name(self, role: str) -> bool:
        turns = _talk("u" if role == "user" else "ua" if role == "assistant" else "su")
        for turn in turns:
            if turn["role"] == role:
                turn["name"] = "eprobename"
        return "eprobename" in (self._text(self._template, turns, answer=False) or "")

    def _shows(self, more: Mapping[str, Any]) -> bool:
        """Whether an answer with these keys shows a thought, in any state of its switch."""
        turns = _talk("ua")
        turns[1] |= more
        states = [{}, *({name: True} for name in SWITCHES)]
        templates = [self._template.using(state) for state in states]
        return any(_TEXTS[2] in (self._text(each, turns, answer=False) or "") for each in templates)

    def _text(
        self, template: ChatTemplate, turns: Sequence[Turn], *, answer: bool = True
    ) -> str | None:
        try:
            return template.render(turns, answer=answer)
        except BadRequest:
            return None


def _talk(speakers: str) -> list[Turn]:
    return [
        {"role": _ROLES[speaker], "content": text}
        for speaker, text in zip(speakers, _TEXTS, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class Arranged:
    """Turns as a template takes them, and what was changed, by the codes of notices."""

    turns: list[Turn]
    changes: frozenset[str]


def arrange(given: Sequence[Turn], traits: Traits, *, for_prompt: bool) -> Arranged:
    """Put a conversation as its template takes it.

    What comes of the turns before an answer depends on them alone, so that a prompt in use is what
    training saw. Raises nothing: what the template still refuses, it refuses in its own words.
    """
    turns, changes = list(given), set[str]()
    if any(is_system(turn["role"]) for turn in turns):
        turns = _with_system(turns, traits, changes)
    if _lacks_opening(turns, for_prompt=for_prompt) and not traits.takes_opening_assistant:
        turns.insert(_systems(turns), {"role": "user", "content": ""})
        changes.add("user_inserted")
    if _together(turns, "user") and not traits.takes_users_together:
        turns = _joined(turns)
        changes.add("users_joined")
    if _together(turns, "assistant") and not traits.takes_assistants_together:
        turns = _parted(turns)
        changes.add("user_inserted")
    return Arranged(turns, frozenset(changes))


def _systems(turns: Sequence[Turn]) -> int:
    """How many turns of the system open a conversation."""
    return next((at for at, t in enumerate(turns) if not is_system(t["role"])), len(turns))


def _lacks_opening(turns: Sequence[Turn], *, for_prompt: bool) -> bool:
    at = _systems(turns)
    return turns[at]["role"] == "assistant" if at < len(turns) else for_prompt


def _with_system(turns: list[Turn], traits: Traits, changes: set[str]) -> list[Turn]:
    leading = _systems(turns)
    kept = leading if traits.takes_system else 0
    opening = turns[:kept]
    if kept > 1 and not traits.takes_several_systems:
        opening = [{**opening[0], "content": SEAM.join(_said(turn) for turn in opening)}]
        changes.add("systems_joined")
    rest = turns[kept:]
    later = any(is_system(turn["role"]) for turn in rest)
    if later and not (traits.takes_system and traits.takes_later_system):
        rest = _moved(rest)
        changes.add("system_moved")
    return [*opening, *rest]


def _moved(turns: Sequence[Turn]) -> list[Turn]:
    """System turns put before the text of the user's next turn, else behind that of the last."""
    made: list[Turn] = []
    waiting: list[str] = []
    for turn in turns:
        if is_system(turn["role"]):
            waiting.append(_said(turn))
        elif turn["role"] == "user":
            made.append({**turn, "content": SEAM.join([*waiting, _said(turn)])})
            waiting = []
        else:
            _settle(made, waiting)
            waiting = []
            made.append(turn)
    _settle(made, waiting)
    return made


def _settle(made: list[Turn], waiting: Sequence[str]) -> None:
    if waiting and made and made[-1]["role"] == "user":
        made[-1] = {**made[-1], "content": SEAM.join([_said(made[-1]), *waiting])}
    elif waiting:
        made.append({"role": "user", "content": SEAM.join(waiting)})


def _together(turns: Sequence[Turn], role: str) -> bool:
    return any(a["role"] == b["role"] == role for a, b in pairwise(turns))


def _joined(turns: Sequence[Turn]) -> list[Turn]:
    made: list[Turn] = []
    for turn in turns:
        if made and turn["role"] == made[-1]["role"] == "user":
            made[-1] = {**made[-1], "content": SEAM.join([_said(made[-1]), _said(turn)])}
        else:
            made.append(turn)
    return made


def _parted(turns: Sequence[Turn]) -> list[Turn]:
    made: list[Turn] = []
    for turn in turns:
        if made and turn["role"] == made[-1]["role"] == "assistant":
            made.append({"role": "user", "content": ""})
        made.append(turn)
    return made


def _said(turn: Turn) -> str:
    return turn.get("content") or ""
