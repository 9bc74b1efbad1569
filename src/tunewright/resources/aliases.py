"""OpenAI's model names: which base each one stands for, and what else the name says."""

import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal

from tunewright.settings import DEFAULT_ALIASES

Side = Literal["query", "document"]

CHAT_AND_TUNING = (
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-1106",
    "gpt-3.5-turbo-16k",
    "gpt-3.5-turbo-16k-0613",
    "gpt-4o",
    "gpt-4o-2024-05-13",
    "gpt-4o-2024-08-06",
    "gpt-4o-2024-11-20",
    "gpt-4o-mini",
    "gpt-4o-mini-2024-07-18",
    "gpt-4.1",
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano",
    "gpt-4.1-nano-2025-04-14",
)
COMPLETION = ("gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct-0914", "babbage-002", "davinci-002")
EMBEDDING = ("text-embedding-ada-002", "text-embedding-3-small", "text-embedding-3-large")
FIRST_EMBEDDING = (
    *(f"text-similarity-{size}-001" for size in ("ada", "babbage", "curie", "davinci")),
    *(
        f"text-search-{size}-{side}-001"
        for size in ("ada", "babbage", "curie", "davinci")
        for side in ("doc", "query")
    ),
    *(f"code-search-{size}-{side}-001" for size in ("ada", "babbage") for side in ("code", "text")),
)

# Listed in /v1/models where they stand for something; later versions work as well.
NAMES = (*CHAT_AND_TUNING, *COMPLETION, *EMBEDDING, *FIRST_EMBEDDING)

# A version as OpenAI dates it: gpt-4o-2024-08-06, gpt-3.5-turbo-0125.
_DATED = re.compile(r"(.+?)-(?:(20\d\d)-(\d\d)-(\d\d)|(\d\d)(\d\d))", re.ASCII)
_LEAP_YEAR = 2024
# What OpenAI has, or had, besides: a name so made is no slip of the keyboard.
_ELSEWHERE = re.compile(
    r"(gpt-4(?!\.1)|gpt-[5-9]|o\d|chatgpt|gpt-oss|gpt-image|gpt-audio|gpt-realtime|codex|dall-e"
    r"|whisper|tts|(text|code)-(davinci|curie|babbage|ada|cushman)|davinci|curie|babbage|ada)"
    r"([.-](?!002)[a-z0-9.-]+)?"
    r"|gpt-4o(-mini)?-(audio|realtime|search|transcribe|tts)[a-z0-9.-]*"
)
_VERSIONED = {
    name for name in (*CHAT_AND_TUNING, *COMPLETION) if not re.search(r"-\d{3,4}$|-\d\d$", name)
}
_LONGEST = 96  # characters; a longer name is no slip either


class Aliases:
    """`table` maps a name, or a pattern such as ``gpt-4o*``, to a base.

    A pattern of `DEFAULT_ALIASES` covers the names that OpenAI gave to models and their later
    versions, whatever base it is mapped to: a slip such as ``gpt-4o-mni`` is no model. Any other
    pattern is the operator's own and covers all that begins so.
    """

    def __init__(self, table: dict[str, str]) -> None:
        self._names = {name: base for name, base in table.items() if not name.endswith("*")}
        prefixes = {name[:-1]: base for name, base in table.items() if name.endswith("*")}
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))

    def exact(self, name: str) -> str | None:
        return self._names.get(name)

    def matching(self, name: str) -> str | None:
        """The base of the longest pattern. A tuned model's name matches none: once deleted, it
        must not be answered by another model."""
        if name.startswith("ft:"):
            return None
        return next((base for prefix, base in self._prefixes if _covers(prefix, name)), None)

    def target(self, name: str) -> str | None:
        """The base that `name` stands for: its own entry first, then the longest pattern."""
        return self.exact(name) or self.matching(name)

    def standing(self) -> dict[str, list[str]]:
        """By base, the names and patterns that stand for it."""
        found: dict[str, list[str]] = {}
        for prefix, base in sorted(self._prefixes):
            found.setdefault(base, []).append(f"{prefix}*")
        for name, base in self._names.items():
            found.setdefault(base, []).append(name)
        return found

    def listed(self) -> Iterator[tuple[str, str]]:
        """(name, base) of every name worth listing: OpenAI's, then the operator's own."""
        for name in dict.fromkeys((*NAMES, *self._names)):
            if target := self.target(name):
                yield name, target


def _covers(prefix: str, name: str) -> bool:
    return name.startswith(prefix) and (f"{prefix}*" not in DEFAULT_ALIASES or is_known(name))


def is_known(name: str) -> bool:
    """Whether OpenAI offered a model of this name here, or a version of it by its date."""
    dated = _DATED.fullmatch(name)
    return name in NAMES or bool(dated and dated[1] in _VERSIONED and _is_day(dated))


def _is_day(dated: re.Match[str]) -> bool:
    _, year, *parts = dated.groups()
    month, day = (int(part) for part in parts if part)
    try:
        return bool(date(int(year or _LEAP_YEAR), month, day))
    except ValueError:
        return False


def hint(name: str, there: Sequence[str]) -> str:
    """What to do about a name that stands for nothing: the one of `there` that was meant, or the
    line that maps it. Empty where nothing can be said."""
    if len(name) > _LONGEST or name.startswith("ft:"):
        return ""
    real = is_known(name) or _ELSEWHERE.fullmatch(name)
    near = [] if real else difflib.get_close_matches(name.lower(), there, n=1, cutoff=0.8)
    if near:
        return f" Did you mean `{near[0]}`?"
    if not real and not name.startswith(("gpt-", "text-embedding-")):
        return ""
    completes = name.startswith(("text-", "code-", "davinci", "curie", "babbage", "ada"))
    base = "builtin-completion" if completes else "builtin-chat"
    base = "builtin-mini" if "embedding" in name else base
    return (
        " No base stands for it here. The operator maps one to it in settings.toml, under "
        f'[aliases]: "{name}" = "{base}", or another name that GET /v1/models lists.'
    )


def side(name: str) -> Side | None:
    """For which side of a search a first-generation name embeds."""
    if name.startswith(("text-search-", "code-search-")):
        if name.endswith(("-query-001", "-text-001")):
            return "query"
        if name.endswith(("-doc-001", "-code-001")):
            return "document"
    return None


def vocabulary(name: str) -> str | None:
    """The vocabulary that token ids sent to this name are of; None: the model's own."""
    if name.startswith("text-embedding-"):
        return "cl100k_base"
    first_generation = name.startswith(("text-similarity-", "text-search-", "code-search-"))
    return "r50k_base" if first_generation else None
