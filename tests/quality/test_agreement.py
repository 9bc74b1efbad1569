"""Agreement among annotators, against figures worked out by hand."""

import pytest

from quality.measuring import embedded
from quality.planted import chat
from tunewright.dataset.examples import ChatExample, CompletionExample
from tunewright.quality import agreement


def signed(asked: str, answer: str, name: str) -> ChatExample:
    example = chat(asked, answer)
    example.messages[-1]["name"] = name
    return example


def test_cohen_by_hand() -> None:
    """20 yes-yes, 15 no-no, 5 yes-no, 10 no-yes: 0.7 agree, 0.5 by chance, kappa 0.4."""
    pairs = [("yes", "yes")] * 20 + [("no", "no")] * 15 + [("yes", "no")] * 5 + [("no", "yes")] * 10
    assert agreement.cohen(pairs) == pytest.approx(0.4)


def test_krippendorff_by_hand() -> None:
    """Krippendorff's own example of nominal data, two observers: alpha 0.692 (2011, section B)."""
    one, other = "aabbdcccedda", "babbbccceddd"
    items = [{"one": a, "other": b} for a, b in zip(one, other, strict=True)]
    assert agreement.krippendorff(items) == pytest.approx(0.692, abs=0.0005)
    assert agreement.krippendorff([{"one": "a"}]) is None


def test_annotators_who_disagree_are_named_and_bound_what_a_model_can_reach() -> None:
    """Of 10 questions, ann and bob answer 5 otherwise: whatever a model says, 5 of 20 rows are
    missed."""
    topics = ["soup", "rain", "jazz", "chess", "Rome", "milk", "tax", "bees", "paint", "ice"]
    rows = [signed(f"Is {topic} good?", "yes", "ann") for topic in topics]
    rows += [
        signed(f"Is {topic} good?", "yes" if at < 5 else "no", "bob")
        for at, topic in enumerate(topics)
    ]
    findings = {finding.code: finding for finding in agreement.find(embedded(rows))}
    assert "at best 75.0%" in findings["contradictory_answers"].message
    assert findings["contradictory_answers"].count == 10
    assert "ann and bob" in findings["annotators_disagree"].message


def test_annotators_are_named_in_metadata_too() -> None:
    """Chats and prompt/completion rows; the metadata goes before the name of a message."""
    asked = ["soup", "rain", "jazz", "chess"]
    chats = [
        ChatExample(signed(f"Is {topic} good?", said, "x").messages, metadata={"annotator": who})
        for who, said in (("ann", "yes"), ("bob", "no"))
        for topic in asked
    ]
    pairs = [
        CompletionExample(f"Is {topic} bad?", f" {said}", {"rater": who})
        for who, said in (("ann", "yes"), ("bob", "no"))
        for topic in asked
    ]
    for rows in (chats, pairs):
        findings = {finding.code: finding for finding in agreement.find(embedded(rows))}
        assert "ann and bob: 0.00" in findings["annotators_disagree"].message
        assert "over 4 questions" in findings["annotators_disagree"].message


def test_several_answers_to_an_open_task_are_no_contradiction() -> None:
    rows = embedded([chat("Write a haiku.", text) for text in ("Rain on the old roof", "One frog")])
    assert list(agreement.find(rows)) == []
