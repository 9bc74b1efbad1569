"""What an old tuned model is asked: rows that it was tested with, and prompts that were stored."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from tunewright import names
from tunewright.errors import BadRequest
from tunewright.imports.archive import Archive
from tunewright.imports.fields import mappings, text
from tunewright.tables import reading

_KINDS = ("training", "validation")
Origin = Literal["validation", "training", "stored"]
_ASKED = ("messages", "tools", "functions", "parallel_tool_calls")
_MESSAGE = ("role", "content", "name", "tool_calls", "tool_call_id", "function_call")
_LONGEST_STOP = 16  # characters


@dataclass(frozen=True)
class Prompt:
    """`asked`: the fields of a request that are the prompt. `seen`: the model was tuned on it.

    `reference`: the answer that its row has, as a message; None for a stored prompt. `id` follows
    from `asked`.
    """

    asked: dict[str, Any]
    origin: Origin
    seen: bool = False
    reference: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        canonical = orjson.dumps(self.asked, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(canonical).hexdigest()[:16]

    @property
    def path(self) -> str:
        return "/completions" if "prompt" in self.asked else "/chat/completions"


@dataclass(frozen=True)
class OldModel:
    """A tuned model of an archive, and the content of the files of its job, where it is there.

    `absent`: the files whose content is not.
    """

    name: str
    training: Path | None = None
    validation: Path | None = None
    absent: tuple[str, ...] = ()


def old_models(archive: Archive) -> list[OldModel]:
    """Every tuned model of an archive, also those whose job is of another project."""
    found: dict[str, OldModel] = {}
    for name in sorted(archive.names("jobs/*/job.json")):
        job = archive.record(name)
        tuned = text(job.get("fine_tuned_model"))
        if _can_be_kept(tuned):
            training, validation = (text(job.get(f"{kind}_file")) for kind in _KINDS)
            absent = [id for id in (training, validation) if id and not _content(archive, id)]
            found[tuned] = OldModel(
                tuned, _content(archive, training), _content(archive, validation), tuple(absent)
            )
    for name in sorted(archive.names("models/*.json")):
        model = text(archive.record(name).get("id"))
        if _can_be_kept(model):
            found.setdefault(model, OldModel(model))
    return list(found.values())


def _can_be_kept(id: str) -> bool:
    try:
        return bool(names.foreign(id))
    except BadRequest:
        return False


def _content(archive: Archive, id: str) -> Path | None:
    if not _can_be_kept(id):
        return None
    name = f"files/{names.foreign(id)}.content"
    return archive.path(name) if archive.has(name) else None


def prompts(archive: Archive, model: OldModel, most: int) -> list[Prompt]:
    """At most `most` prompts, the same ones at every call, and of a larger number those before.

    The rows of the validation file, else a fixed tenth of the training file, marked as seen; and
    stored prompts, which get half of the room where both are many.
    """
    trained, tenth = _trained(model.training)
    if model.validation is not None:
        rows = [
            Prompt(row.asked, "validation", row.id in trained, row.reference)
            for row in rows_of(model.validation, "validation")
        ]
    else:
        rows = tenth
    rows = _ordered(rows)
    known = {row.id for row in rows}
    stored = [prompt for prompt in _stored(archive, model.name) if prompt.id not in known]
    stored = [Prompt(each.asked, "stored", each.id in trained, None) for each in _ordered(stored)]
    of_stored = min(len(stored), max(most // 2, most - len(rows)))
    return rows[: most - of_stored] + stored[:of_stored]


def _ordered(found: list[Prompt]) -> list[Prompt]:
    """Each once, in an order that does not depend on what else there is."""
    once = {prompt.id: prompt for prompt in found}
    return [once[id] for id in sorted(once)]


def _trained(path: Path | None) -> tuple[set[str], list[Prompt]]:
    """The ids of all rows of a training file, and the fixed tenth of them, marked as seen: one row
    where it holds none. A large file is never held in memory."""
    ids, tenth, first = set[str](), list[Prompt](), None
    for row in rows_of(path, "training"):
        id = row.id
        ids.add(id)
        seen = Prompt(row.asked, "training", True, row.reference)
        if int(id, 16) % 10 == 0:
            tenth.append(seen)
        if first is None or id < first.id:
            first = seen
    return ids, tenth or ([first] if first else [])


def rows_of(path: Path | None, origin: Origin) -> Iterator[Prompt]:
    """The rows of a file that can be asked: what is wrong or holds pictures is left out."""
    for line in reading.lines(path) if path else ():
        row = line.value
        if isinstance(row, dict) and isinstance(row.get("messages"), list):
            yield from _chat(row, origin)
        elif isinstance(row, dict) and isinstance(row.get("prompt"), str):
            said = {"role": "assistant", "content": str(row.get("completion", ""))}
            yield Prompt({"prompt": row["prompt"]}, origin, reference=said)


def _chat(row: Mapping[str, Any], origin: Origin) -> Iterator[Prompt]:
    """The last answer of a conversation, asked for by what stands before it."""
    messages = row["messages"]
    if not all(isinstance(each, dict) and _is_text(each) for each in messages):
        return
    answers = [at for at, each in enumerate(messages) if each.get("role") == "assistant"]
    if answers and answers[-1] > 0:
        asked = {name: row[name] for name in _ASKED if row.get(name) is not None}
        asked["messages"] = [_message(each) for each in messages[: answers[-1]]]
        yield Prompt(asked, origin, reference=_message(messages[answers[-1]]))


def _message(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in _MESSAGE if given.get(name) is not None}


def _is_text(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    parts: list[Any] = content if isinstance(content, list) else []
    return all(isinstance(part, dict) and part.get("type") == "text" for part in parts)


def _stored(archive: Archive, model: str) -> Iterator[Prompt]:
    for name in archive.names("completions/*/completion.json"):
        record = archive.record(name)
        if record.get("model") != model:
            continue
        folder = name.removesuffix("/completion.json")
        messages: list[dict[str, Any]] = []
        for page in sorted(archive.names(f"{folder}/messages-*.json")):
            messages += mappings(archive.record(page).get("data"))
        while messages and messages[-1].get("role") == "assistant":
            messages.pop()
        if messages and all(each.get("role") and _is_text(each) for each in messages):
            asked = {name: record[name] for name in _ASKED if record.get(name)}
            asked["messages"] = [_message(each) for each in messages]
            yield Prompt(asked, "stored")


def stop_of(model: OldModel) -> str | None:
    """What ends every completion of the training file and stands nowhere else in them: without it,
    a completion model of old goes on to the limit. None for chats, and where there is none."""
    completions: list[str] = []
    for row in rows_of(model.training, "training"):
        if "prompt" not in row.asked or row.reference is None:
            return None
        completions.append(row.reference["content"])
    end = _common_end(completions)
    # A full stop ends every sentence: only what was put there to be a stop is one.
    marks = len(end) > 1 or end == "\n"
    return end if marks and all(each.count(end) == 1 for each in completions) else None


def _common_end(texts: list[str]) -> str:
    shortest = min(map(len, texts), default=0)
    for size in range(min(_LONGEST_STOP, shortest), 0, -1):
        if all(text.endswith(texts[0][-size:]) for text in texts):
            return texts[0][-size:]
    return ""
