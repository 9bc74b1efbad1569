"""Short prompts are read together, equal ones once, and nobody's answer is another for it."""

from collections import Counter

import pytest
from tiny_models import MERGING, Models, finish, ids_of, prompt_of
from torch import Tensor

from tunewright.errors import Unavailable
from tunewright.generation import batch
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Piece, Request
from tunewright.generation.resident import Resident

Passes = list[tuple[int, int]]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    """Rows and tokens a row of each forward pass."""
    found: Passes = []
    plain = Resident.forward

    def noted(self: Resident, ids: Tensor, cache: object, **given: object) -> object:
        found.append((ids.shape[0], ids.shape[1]))
        return plain(self, ids, cache, **given)

    monkeypatch.setattr(Resident, "forward", noted)
    return found


def ask(
    id: int, spec: ModelSpec, prompt: list[int], count: int = 1, organisation: str = "org"
) -> Request:
    return Request(id, spec, prompt, count, temperature=0, organisation=organisation)


@pytest.mark.parametrize("architecture", MERGING)
def test_prompts_of_unequal_length_are_one_pass(
    architecture: str, models: Models, generator: EmbeddedGenerator, passes: Passes
) -> None:
    plain, tuned = models(architecture), models(architecture, 1)
    generator.load(tuned)
    passes.clear()
    rows = [
        ask(id, (plain, tuned)[id % 2], prompt_of(length), count)
        for id, (length, count) in enumerate([(5, 8), (31, 1), (1, 8), (12, 1), (2, 3)])
    ]
    pieces = finish(generator, *rows)
    assert passes[0] == (5, 31)
    assert all(tokens == 1 for _, tokens in passes[1:])
    for row in rows:
        alone = models.alone(row.model, row.prompt, row.max_tokens)
        assert ids_of(pieces, row.id) == alone, f"row {row.id}"


def test_equal_prompts_are_read_once(
    models: Models, generator: EmbeddedGenerator, passes: Passes
) -> None:
    spec, tuned, prompt = models("llama"), models("llama", 1), prompt_of(9)
    generator.load(spec)
    passes.clear()
    rows = [Request(id, spec, prompt, 20, seed=id) for id in range(7)]
    pieces = finish(generator, *rows, ask(7, tuned, prompt, 20))
    assert passes[0] == (2, 9)
    answers = {tuple(ids_of(pieces, id)) for id in range(7)}
    assert len(answers) > 4
    assert ids_of(pieces, 7) == models.alone(tuned, prompt, 20)
    for id in (0, 6):
        assert ids_of(finish(generator, rows[id]), id) == ids_of(pieces, id)


def test_log_probabilities_of_prompts_are_their_own(
    models: Models, generator: EmbeddedGenerator, passes: Passes
) -> None:
    spec = models("llama")
    generator.load(spec)
    rows = [
        Request(id, spec, prompt_of(length), count, temperature=0, logprobs=2, prompt_logprobs=True)
        for id, (length, count) in enumerate([(3, 0), (17, 0), (8, 1), (1, 1), (8, 4)])
    ]
    alone = {
        row.id: next(p for p in finish(generator, row) if p.prompt is not None) for row in rows
    }
    passes.clear()
    pieces = finish(generator, *rows, ask(9, spec, prompt_of(5)))
    assert passes[0] == (5, 17)
    for row in rows:
        (first,) = [p for p in pieces if p.id == row.id and p.prompt is not None]
        assert first.prompt is not None
        assert len(first.prompt) == len(row.prompt) - 1
        expected = alone[row.id].prompt or []
        assert [item.token for item in first.prompt] == row.prompt[1:]
        for mine, its in zip(first.prompt, expected, strict=True):
            assert mine.logprob == pytest.approx(its.logprob, abs=1e-4)
    assert ids_of(pieces, 9) == models.alone(spec, prompt_of(5), 1)


def test_a_thousand_short_answers_take_neither_the_step_nor_the_turn_of_another(
    models: Models, generator: EmbeddedGenerator, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ROWS", 2)
    spec, long = models("llama"), prompt_of(300)
    finish(generator, *(ask(id, spec, prompt_of(4), 1) for id in range(2)))
    for id in range(2):  # the store is full
        generator.submit(ask(id, spec, prompt_of(4), 300, "talker"))
    for id in range(10, 1010):
        prompt = prompt_of(11, seed=id) if id % 2 else prompt_of(11)
        generator.submit(ask(id, spec, prompt, organisation="greedy"))
    generator.submit(ask(5, spec, long, organisation="reader"))
    generator.step()
    passes.clear()
    generator.submit(ask(6, spec, prompt_of(3), organisation="other"))
    pieces = [*generator.step(), *generator.step()]  # one of them is the reader's turn
    assert ids_of(pieces, 6) == models.alone(spec, prompt_of(3), 1)
    ended = Counter("greedy" if p.id >= 10 else "other" for p in pieces if p.last)
    assert ended["greedy"] >= 15
    assert sum(rows * tokens for rows, tokens in passes) <= 4 * batch.CHUNK
    steps = 2
    while any(row.organisation == "greedy" for p in _places(generator) for row in p.batch.rows):
        pieces += generator.step()
        steps += 1
    assert steps <= 60


def _places(generator: EmbeddedGenerator) -> list:
    return list(generator._batches.values())


def test_a_pass_that_fails_ends_every_row_once(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = models("llama")
    generator.load(spec)

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    for id in range(4):
        generator.submit(ask(id, spec, prompt_of(4 + id)))
    with monkeypatch.context() as patch:
        patch.setattr(Resident, "forward", explode)
        pieces: list[Piece] = generator.step()
    assert sorted(piece.id for piece in pieces) == [0, 1, 2, 3]
    assert {type(piece.error) for piece in pieces} == {Unavailable}
    assert not generator.busy
    assert len(ids_of(finish(generator, ask(5, spec, prompt_of(4))), 5)) == 1
