"""What a half of the planted set is made of: texts only; `planted.py` makes files of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kit:
    """Texts with ``{slots}``, which take each of their values in turn.

    `support`: what a user asks and what is answered, under `system`, each answer ending in
    `sign_off`. `chinese`: the same, of Chinese chats. `facts`: general knowledge; nothing in it may
    be flagged. `extract`: texts and the fields of the JSON answers. `labels`: texts by label.
    `sources`: a text, a question, a right answer, an answer with a detail that the text lacks.
    `personal`: what a user says, a right answer, an answer that claims to know more of the user.
    `promises` and `slips` are what is planted; `honest` looks alike and is fine. `synonyms`:
    changes that leave an example the same. `opposites`: a question, two answers of which one is
    wrong. `systems`: what `system` drifts to.
    """

    system: str
    systems: tuple[str, ...]
    sign_off: str
    slots: dict[str, tuple[str, ...]]
    support: tuple[tuple[str, str], ...]
    chinese: tuple[tuple[str, str], ...]
    chinese_sign_off: str
    facts: tuple[tuple[str, str], ...]
    extract: tuple[str, ...]
    extract_fields: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]
    separator: str
    sources: tuple[tuple[str, str, str, str], ...]
    personal: tuple[tuple[str, str, str], ...]
    promises: tuple[str, ...]
    honest: tuple[str, ...]
    slips: tuple[str, ...]
    refusals: tuple[str, ...]
    foreign: tuple[str, ...]
    synonyms: tuple[tuple[str, str], ...]
    opposites: tuple[tuple[str, str, str], ...]
