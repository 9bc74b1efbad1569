"""Which language a text is in: by its letters, and for Latin ones by the commonest words."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

# Of each language those that are no words of English.
_COMMON = {
    "English": "the and of to is you that it for are with this have from not what your can be was",
    "German": "der das und ist nicht sie ein eine zu den mit auf für im dem wir es auch sich",
    "French": "le la les et est une des vous dans pour que pas du au sur nous sont il avec",
    "Spanish": "el los las es una que por para del se está en lo su como más y son",
    "Italian": "il che è di non sono del della gli le si nel alla anche più un",
    "Portuguese": "os uma que não para em da dos é se por mais são ao na ou",
    "Dutch": "het een en dat niet te zijn voor aan er ook bij naar wij",
}
_WORDS = {language: set(words.split()) for language, words in _COMMON.items()}
_ALL_WORDS = set[str]().union(*_WORDS.values())
_SCRIPTS = {
    "CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean",
    "CYRILLIC": "Russian", "ARABIC": "Arabic", "HEBREW": "Hebrew", "GREEK": "Greek",
    "THAI": "Thai", "DEVANAGARI": "Hindi", "LATIN": "Latin",
}  # fmt: skip
_WEIGHT = 3  # a Chinese character says as much as some three letters
_READ = 600  # characters that are looked at
_FEWEST_LETTERS = 8


def language(text: str) -> str | None:
    """The name of the language; None where there is too little to tell by."""
    text = text[:_READ]
    if text.isascii():
        return _latin(text) if sum(map(str.isalpha, text)) >= _FEWEST_LETTERS else None
    scripts = Counter[str]()
    for letter, count in Counter(filter(str.isalpha, text)).items():
        if name := _script(letter):
            scripts[name] += count * (1 if name == "Latin" else _WEIGHT)
    if scripts.total() < _FEWEST_LETTERS:
        return None
    first, count = scripts.most_common(1)[0]
    if first == "Chinese" and scripts["Japanese"] > count / 5:
        return "Japanese"
    if count < scripts.total() * 0.6:
        return None
    return _latin(text) if first == "Latin" else first


@lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str | None:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0])


def _latin(text: str) -> str | None:
    """None unless two of the commonest words of one language are there, and fewer of any other."""
    found = set(re.findall(r"[^\W\d_]+", text.casefold())) & _ALL_WORDS
    second, most = sorted(len(found & words) for words in _WORDS.values())[-2:]
    if most < 2 or most < 1.5 * second:
        return None
    return next(name for name, words in _WORDS.items() if len(found & words) == most)
