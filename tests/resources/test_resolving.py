"""What a request's name stands for is read once, at one moment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from tuned_models import put_tuned
from tunewright.app import Tunewright
from tunewright.records.completions import ChatRequest, CompletionRequest
from tunewright.records.embeddings import EmbeddingRequest

FIRST, OTHER = "ft:gpt-4o:personal:x:1", "ft:builtin-chat:personal:x:1"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    tw = Tunewright(tmp_path / "home")
    put_tuned(tw, FIRST)
    return tw


def readings(tw: Tunewright, call: Callable[[], object]) -> int:
    """How many transactions of the catalog `call` begins."""
    begun: list[object] = []
    note = begun.append  # one object: what is listened with is what is removed
    event.listen(tw.catalog._readers, "begin", note)
    try:
        call()
    finally:
        event.remove(tw.catalog._readers, "begin", note)
    return len(begun)


@pytest.mark.parametrize("name", ["builtin-chat", "gpt-4o-mini", FIRST, OTHER])
def test_a_name_is_one_reading(tw: Tunewright, name: str) -> None:
    assert readings(tw, lambda: tw.models.weights(name, ("chat",))) == 1
    assert readings(tw, lambda: tw.models.retrieve(name)) == 1


def test_so_is_a_request(tw: Tunewright) -> None:
    """Whatever it asks of the name: which vocabulary its token ids are of, which base answers."""
    ids = {"model": "builtin-completion", "prompt": [[5, 6]] * 20, "logit_bias": {"5": -100}}
    completion = CompletionRequest.parse(ids)
    assert readings(tw, lambda: tw.completions.prepare(completion)) == 1
    chat = ChatRequest.parse({"model": FIRST, **HELLO})
    assert readings(tw, lambda: tw.chat.prepare(chat)) == 1
    embedding = EmbeddingRequest.parse({"model": "text-embedding-3-small", "input": "a"})
    assert readings(tw, lambda: tw.embeddings.embed(embedding)) == 1


def test_a_reading_within_another_sees_the_same_moment(tw: Tunewright) -> None:
    other = Tunewright(tw.home.root)
    with tw.catalog.reading():
        assert tw.files.list().data == []
        other.files.create(file=b"x", purpose="fine-tune")
        assert tw.files.list().data == []
        tw.files.create(file=b"y", purpose="fine-tune")  # a transaction is its own view
        assert tw.files.list().data == []
    assert len(tw.files.list().data) == 2
    other.close()
