"""How a template writes an assistant's calls, and how they are read back from an answer.

The form is found by rendering calls that we know and looking where their parts stand, so that
each base is read as its own template writes: ``<tool_call>{"name": ..., "arguments": {...}}``
(Hermes, Qwen), a bare ``{"name": ..., "parameters": {...}}`` (Llama 3.1), a list after
``[TOOL_CALLS]`` (Mistral), a name followed by its arguments (newer Mistral, DeepSeek).
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

NAMES = ("aprobecall", "bprobecall")
ARGUMENTS = ({"aprobekey": "aprobevalue"}, {"bprobekey": "bprobevalue"})
IDS = {"any": ("call_aprobe", "call_bprobe"), "nine": ("aprobecal", "bprobecal")}


class Call(NamedTuple):
    """A call as the model wrote it. `arguments`: the text of a JSON object. `id`: where it wrote
    one."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class CallKeys:
    """Where name, arguments and id stand in the JSON object of a call, of which `sample` is one.

    `quoted`: the arguments stand there as text that is JSON once more.
    """

    name: Path
    arguments: Path
    id: Path | None
    sample: str

    @property
    def quoted(self) -> bool:
        return isinstance(_at(json.loads(self.sample), self.arguments), str)


@dataclass(frozen=True, slots=True)
class CallForm:
    """``before ITEM (between ITEM)* after``: white space at the seams does not count.

    An ITEM is one JSON object (`keys`; in a list of them, if `listed`), or, without `keys`, a
    name, `middle` and the JSON object of its arguments. With no text `before`, calls are all of an
    answer.
    """

    before: str
    between: str
    after: str
    keys: CallKeys | None = None
    listed: bool = False
    middle: str = ""

    @classmethod
    def find(cls, one: str, two: str | None) -> "CallForm | None":
        """From the answers that call the first probe, and both; None where it is not understood.

        `two` is None where the template takes a single call only.
        """
        form = _json_form(one) or _named_form(one)
        if form is None:
            return None
        known = [Call(*pair) for pair in zip(NAMES, map(_text, ARGUMENTS), strict=True)]
        if not form.listed and two is not None:
            form = form._with_between(two)
        tries = [(one, known[:1])] if two is None else [(one, known[:1]), (two, known)]
        for text, calls in tries:  # believed only where it reads what it was made from
            content, found = form.read(text, NAMES)
            if content or [call[:2] for call in found] != [call[:2] for call in calls]:
                return None
        return form

    def read(self, text: str, names: Collection[str]) -> tuple[str, list[Call]]:
        """What is said beside the calls, and the calls. `names`: the functions that there are.

        Text that is no whole call, or calls what there is not, is all content: nothing is lost.
        """
        start = self.starts(text)
        if start is None:
            return text, []
        said, calls = text[:start].rstrip(), list[Call]()
        rest = text[start:]
        while self.starts(rest) == 0:
            group = self._group(rest)
            if group is None:
                return text, []
            calls += group[0]
            rest = rest[group[1] :].lstrip()
        if (rest and not self.before) or any(call.name not in names for call in calls):
            return text, []
        return said + (f"\n{rest}" if said and rest else rest), calls

    def read_cut(self, text: str, names: Collection[str]) -> tuple[str, list[Call]]:
        """As `read`, for an answer that was cut off: its last call may be there in part, its
        arguments as far as they were written. Without a call whose name is there: all content."""
        start = self.starts(text)
        if start is None:
            return text, []
        calls, rest = list[Call](), text[start:]
        while self.starts(rest) == 0 and (group := self._group(rest)):
            calls += group[0]
            rest = rest[group[1] :].lstrip()
        calls += self._begun(rest)
        if not calls or any(call.name not in names for call in calls):
            return text, []
        return text[:start].rstrip(), calls

    def _begun(self, text: str) -> list[Call]:
        """The calls of a group that breaks off; the last may lack its end."""
        at = _skip(text, 0, self.before)
        at = _skip(text, at, "[") if self.listed and at is not None else at
        calls = list[Call]()
        while at is not None and at < len(text):
            call, end = self._part(text, at)
            calls += [call] if call else []
            between = "," if self.listed else self.between
            at = _skip(text, end, between) if end is not None and between else None
        return calls

    def _part(self, text: str, at: int) -> tuple[Call | None, int | None]:
        """The call at `at`, as far as it goes, and its end where it has one."""
        if self.keys is None:
            name, _, _ = text[at:].partition(self.middle or "{")
            start = at + len(name) + len(self.middle)
            there = bool(self.middle) and text.startswith(self.middle, at + len(name))
            if not (there or (not self.middle and start < len(text))):
                return None, None
            value, end = _json(text, start)
            whole = isinstance(value, dict)
            written = _text(value) if whole else text[start:].lstrip()
            return Call(name.strip(), written), end if whole else None
        keys = self.keys
        found: dict[Path, tuple[int, int | None]] = {}
        end = _spans(text, at, (), {keys.name, keys.arguments}, found)
        name_at, name_end = found.get(keys.name, (0, None))
        name = _json(text, name_at)[0] if name_end is not None else None
        if not isinstance(name, str):
            return None, end
        start, stop = found.get(keys.arguments, (len(text), None))
        call = _called(name, _json(text, start)[0], None) if stop is not None else None
        return call or Call(name, _unquoted(text[start:]) if keys.quoted else text[start:]), end

    def starts(self, text: str) -> int | None:
        """Where calls may begin in `text`; None where they do not."""
        if self.before:
            at = text.find(self.before)
            return at if at >= 0 else None
        at = len(text) - len(text.lstrip())
        return at if text.startswith("[" if self.listed else "{", at) else None

    def may_start(self, text: str) -> int:
        """How many characters at the end of `text` may yet turn out to be a call's beginning, or
        the white space before one."""
        longest = min(len(self.before) - 1, len(text))
        sizes = range(longest, 0, -1)
        size = next((n for n in sizes if self.before.startswith(text[-n:])), 0)
        body = text[: len(text) - size]
        return size + len(body) - len(body.rstrip())

    def _with_between(self, two: str) -> "CallForm":
        """The same with the text between two calls."""
        at = self._item(two, _skip(two, 0, self.before) or 0)
        if at is None:
            return self
        start = two.find(NAMES[1]) if self.keys is None else two.find("{", at[1])
        between = two[at[1] : max(at[1], start)].strip()
        return CallForm(self.before, between, self.after, self.keys, self.listed, self.middle)

    def _group(self, text: str) -> tuple[list[Call], int] | None:
        """The calls at the start of `text` and where they end; None for anything else."""
        at = _skip(text, 0, self.before)
        calls, end = list[Call](), 0
        while at is not None:
            item = self._item(text, at)
            if item is None:
                return None
            calls += item[0]
            end = item[1]
            at = _skip(text, end, self.between) if self.between else None
        closed = _skip(text, end, self.after) if calls else None
        if closed is None and text[end:].strip():
            return None
        return calls, len(text) if closed is None else closed

    def _item(self, text: str, at: int) -> tuple[list[Call], int] | None:
        if self.keys is not None:
            value, end = _json(text, at)
            values = value if self.listed and isinstance(value, list) else [value]
            calls = [_call(self.keys, one) for one in values]
        else:
            stop = text.find(self.middle, at) if self.middle else text.find("{", at)
            name = text[at:stop].strip()
            value, end = _json(text, stop + len(self.middle)) if stop > at else (None, at)
            calls = [_called(name, value, None)]
        found = [call for call in calls if call is not None]
        return (found, end) if found and len(found) == len(calls) else None


class CallReader:
    """The calls of one answer while it comes: content is passed on until a call may begin."""

    def __init__(self, form: CallForm, names: Collection[str]) -> None:
        self._form = form
        self._names = names
        self._held = ""
        self._begun = self._over = False  # a call may have begun; none can begin any more

    def push(self, text: str) -> str:
        """The content that is certain now."""
        if self._over:
            return text
        self._held += text
        if self._begun:
            return ""
        start = self._form.starts(self._held)
        if start is not None:
            self._begun = True
            keep = len(self._held) - len(self._held[:start].rstrip())
        else:
            keep = self._form.may_start(self._held)
        shown, self._held = self._held[: len(self._held) - keep], self._held[-keep:] if keep else ""
        self._over = bool(shown) and not self._form.before
        return shown

    def finish(self, *, cut: bool = False) -> tuple[str, list[Call]]:
        """The rest of the content, and the calls. `cut`: the answer was cut off, so that the last
        call may be there in part."""
        if self._over:
            return self._held, []
        read = self._form.read_cut if cut else self._form.read
        return read(self._held, self._names)


def _json_form(text: str) -> CallForm | None:
    """The form in which one JSON value holds both the name and the arguments."""
    for start, value, end in _values(text):
        listed = isinstance(value, list) and len(value) == 1
        call = value[0] if listed else value
        name, arguments = _path(call, NAMES[0]), _arguments_path(call)
        if isinstance(call, dict) and name and arguments:
            id = next((p for ids in IDS.values() if (p := _path(call, ids[0]))), None)
            keys = CallKeys(name, arguments, id, _text(call))
            return CallForm(text[:start].strip(), "", text[end:].strip(), keys, listed)
    return None


def _named_form(text: str) -> CallForm | None:
    """The form in which the name stands before the JSON object of the arguments."""
    before, found, rest = text.partition(NAMES[0])
    for start, value, end in _values(rest) if found and before.strip() else ():
        if value == ARGUMENTS[0]:
            middle = rest[:start].strip()
            return CallForm(before.strip(), "", rest[end:].strip(), middle=middle)
    return None


def _values(text: str) -> Iterator[tuple[int, Any, int]]:
    """The JSON objects and lists in a text, each with its start and its end."""
    at = 0
    while at < len(text):
        if text[at] in "{[":
            value, end = _json(text, at)
            if value is not None:
                yield at, value, end
        at += 1


_DECODER = json.JSONDecoder(strict=False)  # models write raw line feeds into strings


def _json(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at `at`, white space before it skipped, and its end; None where none is."""
    at += len(text[at:]) - len(text[at:].lstrip())
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, at


_Spans: TypeAlias = dict[Path, tuple[int, int | None]]


def _spans(text: str, at: int, path: Path, wanted: Collection[Path], found: _Spans) -> int | None:
    """Where the `wanted` values of a JSON object that may break off stand, into `found`: start,
    and end or None. Returns the end of the value at `at`."""
    at += len(text[at:]) - len(text[at:].lstrip())
    inside = any(other[: len(path)] == path and other != path for other in wanted)
    if not inside or not text.startswith("{", at):
        value, end = _json(text, at)
        whole = value is not None or text.startswith("null", at)
        if path in wanted:
            found[path] = (at, end if whole else None)
        return end if whole else None
    end, comma = at, at + 1
    while comma is not None:
        key, end = _json(text, comma)
        colon = _skip(text, end, ":") if isinstance(key, str) else None
        after = None if colon is None else _spans(text, colon, (*path, key), wanted, found)
        if after is None:
            return None
        end, comma = after, _skip(text, after, ",")
    return _skip(text, end, "}")


def _unquoted(text: str) -> str:
    """The text of a JSON string that breaks off."""
    for end in range(len(text), max(len(text) - 12, 0), -1):  # half an escape at its end
        value = _json(f'{text[:end]}"', 0)[0]
        if isinstance(value, str):
            return value
    return ""


def _path(value: Any, wanted: Any, path: Path = ()) -> Path | None:
    """Where `wanted` stands in a JSON value."""
    if value == wanted:
        return path
    inner = value.items() if isinstance(value, dict) else ()
    return next((p for key, one in inner if (p := _path(one, wanted, (*path, key)))), None)


def _arguments_path(call: Any) -> Path | None:
    return _path(call, ARGUMENTS[0]) or _path(call, _text(ARGUMENTS[0]))


def _call(keys: CallKeys, value: Any) -> Call | None:
    id = _at(value, keys.id) if keys.id else None
    return _called(_at(value, keys.name), _at(value, keys.arguments), id)


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _called(name: Any, arguments: Any, id: Any) -> Call | None:
    if isinstance(arguments, str):
        arguments = _json(arguments, 0)[0]
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    try:
        text = _text(arguments)
        f"{text}{id}".encode()
    except (ValueError, RecursionError):  # NaN, half a surrogate pair
        return None
    return Call(name, text, id if isinstance(id, str) and id else None)


def _text(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False, allow_nan=False)


def _skip(text: str, at: int, literal: str) -> int | None:
    """The place behind `literal` and the white space around it; None where it is not there."""
    at += len(text[at:]) - len(text[at:].lstrip())
    if not text.startswith(literal, at):
        return None
    at += len(literal)
    return at + len(text[at:]) - len(text[at:].lstrip())
