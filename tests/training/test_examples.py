from pathlib import Path

import numpy as np
import pytest
from tiny import chat, write_rows

from tunewright.dataset.examples import ChatExample
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer
from tunewright.training.examples import read


def text(renderer: Renderer, ids: list[int]) -> str:
    return renderer.decode(ids)


def test_each_assistant_turn_is_a_sample_and_weight_0_is_none(base: Path, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "two", "weight": 0},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "three", "weight": 1},
    ]
    file = write_rows(tmp_path / "rows.jsonl", [{"messages": messages}, chat("d", "four")])
    renderer = Renderer.load(base, chat=True)
    found = read(file, renderer, "chat")
    assert [[s.turn for s in example] for example in found.examples] == [[0, 1], [0]]
    assert [s.line for s in found.all] == [1, 1, 2]
    answers = [text(renderer, s.ids[s.start :].tolist()) for s in found.all]
    assert answers == ["one", "three", "four"]
    assert all(s.ids[-1] == renderer.end_id for s in found.all)
    assert found.supervised_tokens == len("one") + len("three") + len("four") + 3


def test_a_conversation_counts_once_however_many_turns_it_teaches(
    base: Path, tmp_path: Path
) -> None:
    messages = [*chat("a", "one")["messages"], *chat("b", "two")["messages"]]
    file = write_rows(tmp_path / "rows.jsonl", [{"messages": messages}])
    found = read(file, Renderer.load(base, chat=True), "chat")
    assert len(found.all) == 2
    assert found.tokens([0]) == max(len(s.ids) for s in found.all)


def test_too_long_rows_are_cut_or_dropped_and_counted(base: Path, tmp_path: Path) -> None:
    rows = [chat("a", "b"), chat("a", "b" * 600), chat("a" * 600, "b")]
    found = read(write_rows(tmp_path / "r.jsonl", rows), Renderer.load(base, chat=True), "chat")
    assert (len(found), found.cut, found.dropped) == (2, 1, 1)
    assert max(len(s.ids) for s in found.all) == 512


def test_a_file_that_teaches_nothing_is_refused(base: Path, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "rows.jsonl", [chat("a" * 600, "b")])
    with pytest.raises(BadRequest, match="supervised tokens"):
        read(file, Renderer.load(base, chat=True), "chat")


def test_the_digest_sees_what_is_supervised(base: Path, tmp_path: Path) -> None:
    renderer = Renderer.load(base, chat=True)
    digests = {
        read(write_rows(tmp_path / "r.jsonl", rows), renderer, "chat").digest()
        for rows in ([chat("a", "b")], [chat("a", "c")], [chat("b", "b")], [chat("a", "b")] * 2)
    }
    assert len(digests) == 4


def test_the_answers_of_a_long_conversation_share_what_was_said_before(
    base: Path, tmp_path: Path
) -> None:
    messages = [message for at in range(12) for message in chat(f"{at}", "yes")["messages"]]
    file = write_rows(tmp_path / "rows.jsonl", [{"messages": messages}])
    renderer = Renderer.load(base, chat=True)
    [example] = read(file, renderer, "chat").examples
    assert [s.turn for s in example] == list(range(12))
    for sample, end in zip(example, range(2, 25, 2), strict=True):
        rows = renderer.rows(ChatExample(messages[:end]), 1)
        assert sample.ids.tolist() == [*rows[-1].prompt, *rows[-1].answer]
        assert sample.start == len(rows[-1].prompt)
        assert np.shares_memory(sample.ids, example[-1].ids)
