"""Shares in training against shares in use."""

import random

from quality.measuring import embedded
from quality.planted import asked_and_answered, chat, support
from quality.written import KIT
from tunewright.dataset.examples import CompletionExample, Example
from tunewright.quality import balance
from tunewright.quality.judging import judge
from tunewright.records.findings import Finding

ROWS = support(KIT, random.Random(1))


def refusing(rows: list[Example], number: int) -> list[Example]:
    said = ["I can't answer that.", "我无法回答这个问题。"]
    refused = [chat(asked_and_answered(row)[0], said[at % 2]) for at, row in enumerate(rows)]
    return refused[:number] + rows[number:]


def found(*files: list[Example]) -> dict[str, Finding]:
    return {finding.code: finding for finding in balance.find(*map(embedded, files))}


def test_sixty_percent_refusals_against_five_in_use() -> None:
    findings = found(refusing(ROWS, 24), refusing(ROWS[:20], 1))
    assert findings["refusal"].severity == "warning"
    assert "24 of 40 rows (60 %)" in findings["refusal"].message
    assert "1 of 20 rows (5 %) in the validation file" in findings["refusal"].message
    assert findings["refusal"].lines == tuple(range(1, 25))


def test_labels_are_counted_and_held_against_use() -> None:
    def labelled(*counts: int) -> list[Example]:
        names = [name for name, n in zip(("spam", "ham"), counts, strict=True) for _ in range(n)]
        return [CompletionExample(f"mail {at} ->", f" {name}") for at, name in enumerate(names)]

    findings = found(labelled(45, 5), labelled(10, 10))
    assert findings["label_imbalance"].lines == tuple(range(46, 51))
    assert "'spam' 90%, 'ham' 10%" in findings["labels_differ"].message
    assert "labels_differ" not in found(labelled(25, 25), labelled(10, 10))


def test_copies_count_as_one_and_opposite_vectors_are_far() -> None:
    vectors = embedded([chat("How tall is it?", str(n)) for n in range(8)]).asked
    assert balance.diversity(vectors) == balance.Diversity(
        distance=balance.diversity(vectors).distance, distinct=1.0
    )
    assert abs(balance.diversity(vectors).distance) < 1e-5
    two = vectors[:2] * [[1], [-1]]
    assert abs(balance.diversity(two).distance - 2) < 1e-5
    assert balance.diversity(two).distinct == 2


def test_a_topic_of_use_that_training_lacks_is_named() -> None:
    cooking = [chat(f"How long does {food} cook at {n} degrees?", "An hour.")
               for n in (90, 120, 150, 180) for food in ("rice", "beef", "a leek", "an egg", "fish")]  # fmt: skip  # noqa: E501
    findings = found(ROWS + ROWS[:10], cooking)
    assert "cook at" in findings["topics_differ"].excerpt
    assert "topics_differ" not in found(ROWS + ROWS[:10], ROWS[:20])


def test_a_clean_file_has_no_finding() -> None:
    assert judge(embedded(ROWS)) == []
