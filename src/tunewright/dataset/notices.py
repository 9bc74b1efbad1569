"""What is worth knowing about an example and is no error: warnings and advice."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tunewright.dataset.examples import ChatExample, Example
from tunewright.records.findings import NAMED_LINES, Finding, Severity
from tunewright.records.parts import said
from tunewright.rendering import Renderer
from tunewright.rendering.controls import texts
from tunewright.wording import counted, of

# An assistant calls with data, in which no token is the model's own.
_CALLS = ("tool_calls", "function_call")


class Notice(NamedTuple):
    severity: Severity
    message: str
    remedy: str = ""


NOTICES = {
    "blank": Notice("advice", "{lines} {is} skipped."),
    "missing_system": Notice(
        "advice",
        "{examples} {has} no system message, and others have one.",
        "When you use the model, send the system message that the training rows have.",
    ),
    "missing_user": Notice("warning", "{examples} {has} no user message."),
    "ends_without_answer": Notice(
        "warning",
        "{examples} {has} messages after the last answer; those are not trained on.",
        "Add the answer, or remove what follows the last one.",
    ),
    "too_long": Notice(
        "warning",
        "{examples} {is} longer than the {context:,} tokens that the model reads; the end is cut "
        + "off.",
    ),
    "answer_too_late": Notice(
        "warning",
        "{examples} {has} answers beyond the {context:,} tokens that the model reads; they are not "
        + "trained on.",
    ),
    "nothing_to_learn": Notice(
        "warning",
        "{examples} {has} no answer to train on.",
        "Give an answer the weight 1, or remove the example.",
    ),
    "empty_answer": Notice(
        "warning",
        "{examples} {has} an answer that is nothing but white space.",
        "Write the answer, or remove the example.",
    ),
    "name_not_shown": Notice(
        "warning",
        "{examples} {has} names of speakers, which the base's template does not show.",
        "Write the name into the content where the model should know it, or leave it out.",
    ),
    "reasoning_not_shown": Notice(
        "warning",
        "{examples} {has} reasoning that the base's template leaves out; it is not trained "
        + "on.",
        "Use a base whose template shows reasoning, or remove it from the rows.",
    ),
    "system_moved": Notice(
        "warning",
        "{examples} {has} a system message where the base's template takes none; it is put "
        + "before the user's text, in training and when the model is used.",
        'To forbid that, use the setting system_role = "refuse".',
    ),
    "systems_joined": Notice(
        "advice", "{examples} {has} several system messages; they are joined into one."
    ),
    "users_joined": Notice(
        "advice",
        "{examples} {has} several user messages in a row; the base's template needs user and "
        + "assistant by turns, so they are joined into one.",
    ),
    "user_inserted": Notice(
        "advice",
        "{examples} {has} an answer without a user message before it; the base's template needs "
        + "one, so an empty user message is put there.",
    ),
    "unknown_tokens": Notice(
        "warning",
        "{examples} {has} text that the base cannot read: {tokens} {stand} for any such text, "
        + "whatever it says.",
        "Take a base whose vocabulary has that language or those characters, or leave them out.",
    ),
    "special_tokens_as_text": Notice(
        "warning",
        "{examples} {has} special tokens of the base in a text; they are trained on as plain text.",
        "Remove them where they are left over from a rendered template.",
    ),
}


@dataclass
class Noticed:
    """How many lines a notice concerns, the first of them, and how many of their tokens."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    tokens: int = 0

    def add(self, line: int, tokens: int = 0) -> None:
        self.count += 1
        self.tokens += tokens
        if len(self.lines) < NAMED_LINES:
            self.lines.append(line)

    def finding(self, code: str, context: int) -> Finding:
        notice = NOTICES[code]
        return Finding(
            code=code,
            severity=notice.severity,
            message=notice.message.format(
                examples=counted(self.count, "example"),
                lines=counted(self.count, "blank line"),
                has=of(self.count, "has"),
                context=context,
                tokens=counted(self.tokens, "token"),
                stand=of(self.tokens, "stands", "stand"),
                **{"is": of(self.count, "is")},
            ),
            remedy=notice.remedy,
            lines=tuple(self.lines),
            count=self.count,
        )


def of_example(one: Example) -> Iterator[str]:
    """The codes of what its messages show."""
    if isinstance(one, ChatExample):
        yield from _of_chat(one.messages)
    elif one.completion.isspace():
        yield "empty_answer"


def of_text(one: Example, renderer: Renderer) -> Iterator[str]:
    if isinstance(one, ChatExample):
        spelled = any(_spells(message, renderer) for message in one.messages)
    else:
        spelled = any(map(renderer.spells_control, (one.prompt, one.completion)))
    if spelled:
        yield "special_tokens_as_text"


def _spells(message: dict[str, Any], renderer: Renderer) -> bool:
    for key, value in message.items():
        answered = message["role"] == "assistant" and key not in _CALLS
        if any(renderer.spells_control(text, answered=answered) for text in texts(value)):
            return True
    return False


def _of_chat(messages: list[dict[str, Any]]) -> Iterator[str]:
    roles = [message["role"] for message in messages]
    if not {"system", "developer"}.intersection(roles):
        yield "missing_system"
    if "user" not in roles:
        yield "missing_user"
    if roles[-1] != "assistant":
        yield "ends_without_answer"
    if any(_is_blank_answer(message) for message in messages):
        yield "empty_answer"


def _is_blank_answer(message: dict[str, Any]) -> bool:
    if message["role"] != "assistant" or message.get("weight") == 0:
        return False
    content = message.get("content")
    text = "".join(map(said, content)) if isinstance(content, list) else content
    return bool(text) and text.isspace() and not message.get("tool_calls")
