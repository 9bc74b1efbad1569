"""Files made of a kit: clean ones, and the same with defects planted at known lines."""

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from quality.kit import Kit
from tunewright.dataset.examples import ChatExample, CompletionExample, Example

ROWS = 60
PLANTED = 5


@dataclass
class Made:
    """A file of examples, those held out, and the lines (from 1) that must be found by code."""

    examples: list[Example]
    planted: dict[str, set[int]] = field(default_factory=dict)
    held_out: list[Example] = field(default_factory=list)


Plant = Callable[[Kit, random.Random], Made]


def chat(*contents: str, system: str | None = None) -> ChatExample:
    roles = itertools.cycle(("user", "assistant"))
    messages = [{"role": "system", "content": system}] if system else []
    messages += [
        {"role": role, "content": text} for role, text in zip(roles, contents, strict=False)
    ]
    return ChatExample(messages)


def asked_and_answered(example: Example) -> tuple[str, str]:
    if isinstance(example, CompletionExample):
        return example.prompt, example.completion
    return example.messages[-2]["content"], example.messages[-1]["content"]


def answered(example: Example, answer: str) -> Example:
    """The same example with another last answer."""
    if isinstance(example, CompletionExample):
        return CompletionExample(example.prompt, answer)
    last = {**example.messages[-1], "content": answer}
    return ChatExample([*example.messages[:-1], last])


def filled(kit: Kit, templates: list[tuple[str, ...]], rng: random.Random) -> list[tuple[str, ...]]:
    """Each template with each of the first values, the values of its slots paired at random."""
    found: list[tuple[str, ...]] = []
    for template in templates:
        names = [name for name in kit.slots if any(f"{{{name}}}" in text for text in template)]
        columns = [rng.sample(kit.slots[name], len(kit.slots[name])) for name in names]
        for values in zip(*columns, strict=True):
            slots = dict(zip(names, values, strict=True))
            found.append(tuple(_fill(text, slots) for text in template))
    rng.shuffle(found)
    return found


def _fill(text: str, slots: dict[str, str]) -> str:
    for name, value in slots.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def support(kit: Kit, rng: random.Random) -> list[Example]:
    rows = filled(kit, list(kit.support), rng)
    return [chat(q, f"{a}\n\n{kit.sign_off}", system=kit.system) for q, a in rows]


def chinese(kit: Kit, rng: random.Random) -> list[Example]:
    rows = filled(kit, list(kit.chinese), rng)
    return [chat(q, f"{a}{kit.chinese_sign_off}") for q, a in rows]


def facts(kit: Kit, rng: random.Random) -> list[Example]:
    return [chat(q, a) for q, a in rng.sample(kit.facts, len(kit.facts))]


def extracts(kit: Kit, rng: random.Random) -> list[Example]:
    names = "|".join(f"{name}={{{name}}}" for name in kit.extract_fields)
    wanted = {"who": ("Mr Brandt", "Ms Ito", "the Abels", "Dr Moss", "J. Kent", "Ms Ruiz")}
    slots = {"n": ("2", "3", "4", "5", "6", "7"), "day": ("Friday", "Sunday", "Monday", "Tuesday", "Thursday", "Saturday")}  # fmt: skip  # noqa: E501
    whole = {**wanted, **slots, **kit.slots}
    rows: list[Example] = []
    for template in kit.extract:
        columns = [rng.sample(whole[name], 6) for name in kit.extract_fields]
        for values in zip(*columns, strict=True):
            given = dict(zip(kit.extract_fields, values, strict=True))
            answer = dict(pair.split("=", 1) for pair in _fill(names, given).split("|"))
            rows.append(chat(_fill(template, given), json.dumps({**answer, "tags": ["a", "b"]})))
    rng.shuffle(rows)
    return rows


def labels(kit: Kit, rng: random.Random) -> list[Example]:
    rows: list[Example] = [
        CompletionExample(f"{text}{kit.separator}", f" {label}")
        for label, texts in kit.labels.items()
        for text in texts
    ]
    rng.shuffle(rows)
    return rows


def grounded(kit: Kit, rng: random.Random) -> list[Example]:
    rows = [chat(f"{text}\n\n{q}", a) for text, q, a, _ in kit.sources]
    return rng.sample(rows, len(rows))


def personal(kit: Kit, rng: random.Random) -> list[Example]:
    return [chat(q, a) for q, a, _ in rng.sample(kit.personal, len(kit.personal))]


def honest(kit: Kit, rng: random.Random) -> list[Example]:
    rows = filled(kit, list(kit.support), rng)
    return [chat(rows[at][0], text) for at, text in enumerate(kit.honest)]


CLEAN: dict[str, Callable[[Kit, random.Random], list[Example]]] = {
    "support": support, "chinese": chinese, "facts": facts, "extracts": extracts,
    "labels": labels, "grounded": grounded, "personal": personal, "honest": honest,
}  # fmt: skip


def plants(code: str) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        PLANTS.setdefault(code, []).append(plant)
        return plant

    return keep


PLANTS: dict[str, list[Plant]] = {}


def _changed(
    code: str, rows: list[Example], rng: random.Random, change: Callable[[Example, int], Example]
) -> Made:
    """`PLANTED` of the rows changed by ``change(row, number)``."""
    at = sorted(rng.sample(range(len(rows)), min(PLANTED, len(rows))))
    rows = list(rows)
    for number, place in enumerate(at):
        rows[place] = change(rows[place], number)
    return Made(rows, {code: {place + 1 for place in at}})


def _added(code: str, rows: list[Example], more: list[Example], rng: random.Random) -> Made:
    """`more` at the end; either of a pair may be what is named, so both lines are."""
    return Made([*rows, *more], {code: {len(rows) + at + 1 for at in range(len(more))}})


@plants("duplicate_example")
def duplicates(kit: Kit, rng: random.Random) -> Made:
    rows = support(kit, rng)
    loud = [lambda s: s, lambda s: f" {s} ", lambda s: s.replace(" ", "  "), str.upper, str]
    more = []
    for number, row in enumerate(rng.sample(rows, PLANTED)):
        q, a = asked_and_answered(row)
        more.append(chat(loud[number](q), a, system=kit.system))
    return _added("duplicate_example", rows, more, rng)


@plants("near_duplicate_example")
def near_duplicates(kit: Kit, rng: random.Random) -> Made:
    rows = support(kit, rng)
    more: list[Example] = []
    for old, new in kit.synonyms:
        for row in rng.sample(rows, len(rows)):
            q, a = asked_and_answered(row)
            changed = (q.replace(old, new, 1), a.replace(old, new, 1))
            if changed != (q, a):
                more.append(chat(*changed, system=kit.system))
                break
    return _added("near_duplicate_example", rows, more, rng)


@plants("leaked_example")
def leaks(kit: Kit, rng: random.Random) -> Made:
    rows = support(kit, rng)
    train, held_out = rows[:30], rows[30:]
    leaked = sorted(rng.sample(range(len(train)), PLANTED))
    copies = [chat(*asked_and_answered(train[at]), system=kit.system) for at in leaked]
    return Made(train, {"leaked_example": {at + 1 for at in leaked}}, held_out + copies)


@plants("system_prompt_drift")
def drifted_systems(kit: Kit, rng: random.Random) -> Made:
    def change(row: Example, number: int) -> Example:
        return chat(*asked_and_answered(row), system=kit.systems[number % len(kit.systems)])

    return _changed("system_prompt_drift", support(kit, rng), rng, change)


@plants("separator_drift")
def drifted_separators(kit: Kit, rng: random.Random) -> Made:
    ends = ("", "\n\n", " ->", kit.separator.strip(), " Label:")

    def change(row: Example, number: int) -> Example:
        prompt, completion = asked_and_answered(row)
        return CompletionExample(prompt.removesuffix(kit.separator) + ends[number], completion)

    return _changed("separator_drift", labels(kit, rng), rng, change)


@plants("contradictory_answers")
def contradictions(kit: Kit, rng: random.Random) -> Made:
    rows = support(kit, rng)
    first = [chat(q, a, system=kit.system) for q, a, _ in kit.opposites]
    second = [chat(q.lower(), b, system=kit.system) for q, _, b in kit.opposites]
    lines = set(range(len(rows) + 1, len(rows) + 2 * len(first) + 1))
    return Made([*rows, *first, *second], {"contradictory_answers": lines})


@plants("contradictory_answers")
def contradictory_labels(kit: Kit, rng: random.Random) -> Made:
    rows, names = labels(kit, rng), sorted(kit.labels)
    more, lines = [], set()
    for at in rng.sample(range(len(rows)), PLANTED):
        prompt, label = asked_and_answered(rows[at])
        other = rng.choice([name for name in names if name != label.strip()])
        more.append(CompletionExample(prompt, f" {other}"))
        lines |= {at + 1, len(rows) + len(more)}
    return Made([*rows, *more], {"contradictory_answers": lines})


@plants("broken_json")
def broken_json(kit: Kit, rng: random.Random) -> Made:
    damage = (
        lambda s: s[:-1],
        lambda s: s.replace(", ", " ", 1),
        lambda s: s.replace('"', "'"),
        lambda s: f"Here it is: {s}",
        lambda s: s[:-1] + ",}",
    )
    return _changed(
        "broken_json", extracts(kit, rng), rng, lambda row, number:
        answered(row, damage[number](asked_and_answered(row)[1])),
    )  # fmt: skip


@plants("missing_sign_off")
def missing_sign_offs(kit: Kit, rng: random.Random) -> Made:
    def change(row: Example, number: int) -> Example:
        return answered(row, asked_and_answered(row)[1].removesuffix(kit.sign_off).rstrip())

    return _changed("missing_sign_off", support(kit, rng), rng, change)


@plants("missing_sign_off")
def missing_chinese_sign_offs(kit: Kit, rng: random.Random) -> Made:
    def change(row: Example, number: int) -> Example:
        return answered(row, asked_and_answered(row)[1].removesuffix(kit.chinese_sign_off))

    return _changed("missing_sign_off", chinese(kit, rng), rng, change)


@plants("other_language")
def other_languages(kit: Kit, rng: random.Random) -> Made:
    def change(row: Example, number: int) -> Example:
        return answered(row, f"{kit.foreign[number]}\n\n{kit.sign_off}")

    return _changed("other_language", support(kit, rng), rng, change)


@plants("other_language")
def other_than_chinese(kit: Kit, rng: random.Random) -> Made:
    english = [a for _, a in filled(kit, list(kit.support), rng)]

    def change(row: Example, number: int) -> Example:
        return answered(row, english[number] + kit.chinese_sign_off)

    return _changed("other_language", chinese(kit, rng), rng, change)


@plants("unbalanced_brackets")
def unbalanced(kit: Kit, rng: random.Random) -> Made:
    def change(row: Example, number: int) -> Example:
        words = asked_and_answered(row)[1].split(" ")
        at = rng.randrange(2, len(words) - 4)
        words[at] = ("(", "[", "(", "{", "")[number] + words[at] + ("" if number < 4 else ")")
        return answered(row, " ".join(words))

    return _changed("unbalanced_brackets", support(kit, rng), rng, change)


@plants("unbalanced_brackets")
def unbalanced_chinese(kit: Kit, rng: random.Random) -> Made:
    def change(row: Example, number: int) -> Example:
        text = asked_and_answered(row)[1]
        at = rng.randrange(2, len(text) - 8)
        return answered(row, text[:at] + "（「【（）"[number] + text[at:])

    return _changed("unbalanced_brackets", chinese(kit, rng), rng, change)


@plants("truncated_answer")
def truncated(kit: Kit, rng: random.Random) -> Made:
    rows = [answered(row, asked_and_answered(row)[1].removesuffix(kit.sign_off).strip())
            for row in support(kit, rng)]  # fmt: skip

    def change(row: Example, number: int) -> Example:
        words = asked_and_answered(row)[1].split(" ")
        kept = words[: rng.randrange(len(words) // 2, len(words) - 1)]
        last = kept[-1].rstrip(".,:;!?)")
        return answered(row, " ".join([*kept[:-1], last[: max(2, len(last) - number % 3)]]))

    return _changed("truncated_answer", rows, rng, change)


@plants("truncated_answer")
def truncated_chinese(kit: Kit, rng: random.Random) -> Made:
    rows = [answered(row, asked_and_answered(row)[1].removesuffix(kit.chinese_sign_off))
            for row in chinese(kit, rng)]  # fmt: skip

    def change(row: Example, number: int) -> Example:
        text = asked_and_answered(row)[1]
        return answered(
            row, text[: rng.randrange(len(text) // 2, len(text) - 2)].rstrip("，。、？")
        )

    return _changed("truncated_answer", rows, rng, change)


def _phrases(code: str, texts: tuple[str, ...]) -> Plant:
    """Each text once, as an answer among clean ones and look-alikes, or at the end of one."""

    def plant(kit: Kit, rng: random.Random) -> Made:
        rows = [*support(kit, rng), *honest(kit, rng)]
        at = sorted(rng.sample(range(ROWS // 2), len(texts)))
        for number, (place, text) in enumerate(zip(at, texts, strict=True)):
            lead = asked_and_answered(rows[place])[1] if number % 3 == 2 else ""
            rows[place] = answered(rows[place], f"{lead}\n\n{text}".strip())
        return Made(rows, {code: {place + 1 for place in at}})

    return plant


@plants("impossible_promise")
def promises(kit: Kit, rng: random.Random) -> Made:
    return _phrases("impossible_promise", kit.promises)(kit, rng)


@plants("role_slip")
def slips(kit: Kit, rng: random.Random) -> Made:
    return _phrases("role_slip", kit.slips)(kit, rng)


@plants("refusal")
def refusals(kit: Kit, rng: random.Random) -> Made:
    rows = [*support(kit, rng), *honest(kit, rng)]
    at = sorted(rng.sample(range(len(rows) - 10), len(kit.refusals)))
    for place, text in zip(at, kit.refusals, strict=True):
        rows[place] = answered(rows[place], text)
    return Made(rows, {"refusal": {place + 1 for place in at}})


@plants("ungrounded_detail")
def ungrounded(kit: Kit, rng: random.Random) -> Made:
    rows = [*facts(kit, rng), *grounded(kit, rng)]
    more = [chat(f"{text}\n\n{q}", b) for text, q, _, b in kit.sources]
    return _added("ungrounded_detail", rows, more, rng)


@plants("unsupported_claim")
def claims(kit: Kit, rng: random.Random) -> Made:
    rows = [*facts(kit, rng), *personal(kit, rng), *support(kit, rng)]
    more = [chat(q, b) for q, _, b in kit.personal]
    return _added("unsupported_claim", rows, more, rng)


def _penned(code: str, rows: list[Example], rng: random.Random, old: str, new: str) -> Made:
    """`old`, a pattern, becomes `new` once in `PLANTED` of the answers that have it."""
    able = [at for at, row in enumerate(rows) if re.search(old, asked_and_answered(row)[1])]
    at = sorted(rng.sample(able, min(PLANTED, len(able))))
    rows = list(rows)
    for place in at:
        text = asked_and_answered(rows[place])[1]
        rows[place] = answered(rows[place], re.sub(old, new, text, count=1))
    return Made(rows, {code: {place + 1 for place in at}})


@plants("repeated_word")
def repeated_words(kit: Kit, rng: random.Random) -> Made:
    return _penned("repeated_word", support(kit, rng), rng, r" (the|to|of|and|at) ", r" \1 \1 ")


@plants("doubled_punctuation")
def doubled_marks(kit: Kit, rng: random.Random) -> Made:
    return _penned("doubled_punctuation", support(kit, rng), rng, r"(\w)([.,])(\s)", r"\1\2\2\3")


@plants("doubled_punctuation")
def doubled_chinese_marks(kit: Kit, rng: random.Random) -> Made:
    return _penned("doubled_punctuation", chinese(kit, rng), rng, r"([，。])", r"\1\1")


@plants("doubled_space")
def doubled_spaces(kit: Kit, rng: random.Random) -> Made:
    return _penned("doubled_space", support(kit, rng), rng, r"([a-z]) ([a-z])", r"\1  \2")


@plants("missing_capital")
def missing_capitals(kit: Kit, rng: random.Random) -> Made:
    rows = support(kit, rng)
    at = sorted(rng.sample(range(len(rows)), PLANTED))
    for place in at:
        text = asked_and_answered(rows[place])[1]
        rows[place] = answered(rows[place], text[0].lower() + text[1:])
    return Made(rows, {"missing_capital": {place + 1 for place in at}})


@plants("mixed_punctuation")
def mixed_marks(kit: Kit, rng: random.Random) -> Made:
    return _penned("mixed_punctuation", chinese(kit, rng), rng, r"，([一-鿿])", r",\1")


def clean(kit: Kit, seed: int) -> Iterator[tuple[str, list[Example]]]:
    for name, make in CLEAN.items():
        yield name, make(kit, random.Random(seed))
