"""How a text is cut before pairs are merged, by what GGUF calls the ways (`tokenizer.ggml.pre`).

The file names a way and does not describe it, so only those are here whose original is known. A
near one would give other tokens for some texts in silence: of 3,007 texts of the real SmolLM2, 18
change when its digits are not cut one by one. (`deepseek-llm` lists letters of its own choice, some
1,300 fewer than Unicode's, and is not here for that.)
"""

from dataclasses import dataclass
from typing import Any, Final

_CONTRACTIONS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS: Final = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST: Final = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER: Final = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER: Final = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SLASHED: Final = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class PreTokenizer:
    """`steps`: of tokenizer.json. `nfc`: texts are composed first. `whole_words`: a word that is a
    token is taken whole, whatever the merges say. `begins`: a text begins with the first special
    token where the file does not say."""

    steps: tuple[dict[str, Any], ...]
    nfc: bool = False
    whole_words: bool = False
    begins: bool = False


def _bytes(regex: bool) -> dict[str, Any]:
    """Characters as bytes; with `regex`, cut as GPT-2 did it before."""
    return {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": regex
    }  # fmt: skip


def _split(pattern: str) -> dict[str, Any]:
    return {
        "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False
    }  # fmt: skip


def _cut(*patterns: str) -> tuple[dict[str, Any], ...]:
    return (*map(_split, patterns), _bytes(False))


_SINGLE_DIGITS: Final = {"type": "Digits", "individual_digits": True}
_GPT2: Final = PreTokenizer((_bytes(True),))
_DIGITS: Final = PreTokenizer((_SINGLE_DIGITS, _bytes(True)))
_GROUPS: Final = _cut(f"{_CONTRACTIONS}|{_WORDS}|\\p{{N}}{{1,3}}|{_REST}")
_LLAMA3: Final = PreTokenizer(_GROUPS, whole_words=True, begins=True)
_QWEN2: Final = PreTokenizer(_cut(f"{_CONTRACTIONS}|{_WORDS}|\\p{{N}}|{_REST}"), nfc=True)
_O200K: Final = (
    f"{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    f"|\\p{{N}}{{1,3}}|{_SLASHED}"
)
_TEKKEN: Final = f"{_UPPER}*{_LOWER}+|{_UPPER}+{_LOWER}*|\\p{{N}}|{_SLASHED}"
_PUNCTUATED: Final = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CODER: Final = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+")

BY_NAME: Final = {
    "gpt-2": _GPT2,
    "phi-2": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,  # Granite 3 among others
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "dbrx": PreTokenizer(_GROUPS),
    "qwen2": _QWEN2,  # Qwen3 as well
    "deepseek-r1-qwen": _QWEN2,
    "gpt-4o": PreTokenizer(_cut(_O200K)),  # Phi-4-mini
    "tekken": PreTokenizer(_cut(_TEKKEN), whole_words=True, begins=True),  # Mistral
    "deepseek-coder": PreTokenizer((*map(_split, _CODER), _SINGLE_DIGITS, _bytes(False))),
    "deepseek-v3": PreTokenizer(_cut(r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", _PUNCTUATED)),
}
