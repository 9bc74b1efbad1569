"""What an old model answered: the set that its successor is held against."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tunewright.imports.answers import folder
from tunewright.imports.archive import Archive
from tunewright.imports.fields import mapping, mappings
from tunewright.imports.prompts import Prompt, rows_of


@dataclass(frozen=True)
class OldAnswer:
    """A prompt, and what the old model answered: its message, and the log-probability of all of
    its tokens together, None where that was not told. `cut`: the limit of tokens ended it."""

    prompt: Prompt
    message: dict[str, Any]
    logprob: float | None
    cut: bool
    max_tokens: int
    stop: str | None

    @property
    def reference(self) -> str | None:
        """What its row says, in the form in which answers are compared: without the stop string,
        which an answer never has."""
        if self.prompt.reference is None:
            return None
        if self.stop is None:
            return canonical(self.prompt.reference)
        content = str(self.prompt.reference["content"]).removesuffix(self.stop)
        return canonical({"content": content})


def regression_set(archive: Archive, model: str) -> list[OldAnswer]:
    """Every recorded answer of an old model. Raises Corrupt where one has changed since."""
    found: list[OldAnswer] = []
    for name in sorted(archive.names(f"{folder(model, '*')}/answer-*.json")):
        asked = archive.record(name.replace("/answer-", "/asked-"))
        answer = _read(archive.read(name), asked)
        if answer is not None:
            found.append(answer)
    return found


def _read(raw: bytes, asked: dict[str, Any]) -> OldAnswer | None:
    prompt = Prompt(asked["asked"], asked["origin"], asked["seen"], asked["reference"])
    try:
        choice = orjson.loads(raw)["choices"][0]
        if "message" in choice:
            message = {name: value for name, value in choice["message"].items() if value}
            logprob = _total(choice, lambda told: [each["logprob"] for each in told["content"]])
        else:
            message = {"role": "assistant", "content": choice["text"]}
            logprob = _total(choice, lambda told: told["token_logprobs"])
        cut = choice["finish_reason"] == "length"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    body = asked["body"]
    return OldAnswer(prompt, message, logprob, cut, body["max_tokens"], body.get("stop"))


def _total(choice: dict[str, Any], values: Callable[[Any], list[float | None]]) -> float | None:
    told = choice.get("logprobs")
    return sum(each for each in values(told) if each is not None) if told else None


def training_rows(answers: Iterable[OldAnswer]) -> bytes:
    """The old model's answers as a training file; those that were cut off are left out."""
    rows: list[dict[str, Any]] = []
    for old in answers:
        asked = old.prompt.asked
        if old.cut:
            continue
        if "prompt" in asked:
            completion = str(old.message["content"]) + (old.stop or "")
            rows.append({"prompt": asked["prompt"], "completion": completion})
        else:
            said = {"role": "assistant", **old.message}
            rows.append({**asked, "messages": [*asked["messages"], said]})
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def holds_answers(path: Path, answers: Iterable[OldAnswer]) -> bool:
    """Whether a training file holds what the old model answered, and not what it was taught: a
    recorded answer that is no reference, to a prompt that the model was not tuned on."""
    own = {
        old.prompt.id: canonical(old.message)
        for old in answers
        if not old.prompt.seen
        and (old.prompt.reference is None or old.prompt.reference != old.message)
    }
    return any(
        row.reference is not None and own.get(row.id) == canonical(row.reference)
        for row in rows_of(path, "training")
    )


def canonical(message: Mapping[str, Any]) -> str:
    """What an assistant's message says: its text, blanks at its ends and runs of them aside, then
    its calls, a line each, the keys of their arguments in order."""
    content = message.get("content") or ""
    if isinstance(content, list):
        content = " ".join(str(part.get("text", "")) for part in mappings(content))
    calls = [mapping(call.get("function")) for call in mappings(message.get("tool_calls"))]
    calls += [mapping(message["function_call"])] if message.get("function_call") else []
    said = " ".join(str(content).split())
    return "\n".join([said] * bool(said) + [_call(call) for call in calls])


def _call(function: Mapping[str, Any]) -> str:
    arguments = function.get("arguments", "")
    try:
        arguments = json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, TypeError, RecursionError):
        arguments = str(arguments)
    return f"{function.get('name', '')}({arguments})"
