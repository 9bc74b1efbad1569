"""Organisations take turns: whatever one has asked for, another one's row begins within steps."""

import pytest
from tiny_models import Models, finish, ids_of, prompt_of

from tunewright.generation import batch, embedded
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Piece, Request
from tunewright.generation.turns import Turns


def wish(
    id: int, spec: ModelSpec, organisation: str, count: int = 4, prompt: list[int] | None = None
) -> Request:
    prompt = prompt or prompt_of(5)
    return Request(id, spec, prompt, max_tokens=count, temperature=0, organisation=organisation)


def steps_until(generator: EmbeddedGenerator, id: int) -> tuple[int, list[Piece]]:
    """How many steps it takes until row `id` has ended, and all pieces until then."""
    pieces: list[Piece] = []
    for steps in range(1, 400):
        pieces += generator.step()
        if any(piece.id == id and piece.last for piece in pieces):
            return steps, pieces
    raise AssertionError("it never ended")


def test_turns() -> None:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        turns.add(item[0], item)
    order: list[str] = []
    while (item := turns.next(lambda item: item != "b1" or len(order) >= 3)) is not None:
        order.append(item)
        assert turns.remove(item[0], item)
    assert order == ["a1", "c1", "a2", "b1", "a3", "b2"]
    assert not turns
    assert not turns.remove("a", "a1")


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_a_row_begins_beside_a_thousand_of_another_organisation(
    architecture: str, models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ROWS", 4)
    spec = models(architecture)
    for id in range(1000):
        generator.submit(wish(id, spec, "greedy", count=300))
    generator.step()
    generator.submit(wish(5000, spec, "other", count=1))
    steps, pieces = steps_until(generator, 5000)
    assert steps <= 2
    assert ids_of(pieces, 5000) == models.alone(spec, prompt_of(5), 1)


def test_rows_that_run_apart_make_the_same_tokens(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ROWS", 2)
    spec, tuned = models("llama"), models("llama", 1)
    rows = [
        wish(id, spec if id % 2 else tuned, f"organisation {id % 5}", 12, prompt_of(5 + id))
        for id in range(15)
    ]
    pieces = finish(generator, *rows)
    for row in rows:
        assert ids_of(pieces, row.id) == models.alone(row.model, row.prompt, 12)


def test_a_short_prompt_does_not_wait_for_a_long_one(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 4)
    spec, long = models("llama"), prompt_of(380)
    generator.submit(wish(1, spec, "greedy", 4, long))
    generator.submit(wish(2, spec, "greedy", 4, long))
    generator.step()
    generator.submit(wish(3, spec, "other", 1))
    steps, pieces = steps_until(generator, 3)
    assert steps <= 4
    pieces += finish(generator)
    assert ids_of(pieces, 1) == ids_of(pieces, 2) == models.alone(spec, long, 4)


def test_a_store_filled_by_one_long_row_keeps_nobody_out(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CELLS", 200)
    spec = models("llama")
    generator.submit(wish(1, spec, "greedy", 90, prompt_of(180)))
    generator.step()
    generator.submit(wish(2, spec, "other", 3))
    steps, pieces = steps_until(generator, 2)
    assert steps <= 4
    assert ids_of(pieces, 2) == models.alone(spec, prompt_of(5), 3)


@pytest.mark.parametrize("organisation", ["other", "greedy"])
def test_bases_that_are_in_use_make_room_and_their_rows_go_on(
    organisation: str, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "SLICE_SECONDS", 0)
    monkeypatch.setattr(embedded, "SLICES_OF_LOADING", 0)
    generator = EmbeddedGenerator(resident_bases=2)
    specs = [models("llama", 1), models("gpt2"), models("neox"), models("qwen3")]
    for id, spec in enumerate(specs[:2]):
        generator.submit(wish(id, spec, "greedy", 60))
    pieces = [piece for _ in range(9) for piece in generator.step()]
    generator.submit(wish(2, specs[2], organisation, 3))
    generator.submit(wish(3, specs[3], organisation, 3))
    steps, more = steps_until(generator, 3)
    assert steps <= 40
    pieces += more + finish(generator)
    counts = [60, 60, 3, 3]
    for id, spec in enumerate(specs):
        assert ids_of(pieces, id) == models.alone(spec, prompt_of(5), counts[id]), f"row {id}"


def test_suspended_rows_can_be_cancelled_and_unloaded(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "SLICE_SECONDS", 0)
    monkeypatch.setattr(embedded, "SLICES_OF_LOADING", 0)
    generator = EmbeddedGenerator(resident_bases=1)
    for id in (1, 2):
        generator.submit(wish(id, models("llama", id), "greedy", 60))
    generator.step()
    generator.submit(wish(3, models("gpt2"), "other", 60))
    generator.step()
    assert generator._suspended
    generator.cancel(1)
    generator.unload(models("llama", 2).key)
    assert not generator._suspended
    pieces: list[Piece] = []
    while generator.busy:
        pieces += generator.step()
    assert [piece.id for piece in pieces if piece.error] == [2]
    assert len(ids_of(pieces, 3)) >= 58
