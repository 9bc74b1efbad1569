"""Whatever shares a batch, every row makes the tokens that transformers makes for it alone."""

from pathlib import Path

import pytest
from tiny_models import ARCHITECTURES, MERGING, Models, finish, ids_of, prompt_of

from tunewright.generation import batch
from tunewright.generation.batch import Batch
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Piece, Request
from tunewright.generation.resident import Resident


def greedy(id: int, spec: ModelSpec, prompt: list[int], count: int = 12) -> Request:
    return Request(id, spec, prompt, max_tokens=count, temperature=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_of_unequal_length_that_join_late(
    architecture: str, models: Models, generator: EmbeddedGenerator
) -> None:
    spec = models(architecture)
    prompts = [prompt_of(length) for length in (5, 23, 1, 11)]
    pieces: list[Piece] = []
    for id, prompt in enumerate(prompts):
        generator.submit(greedy(id, spec, prompt))
        for _ in range(3):
            pieces += generator.step()
    pieces += finish(generator)
    for id, prompt in enumerate(prompts):
        assert ids_of(pieces, id) == models.alone(spec, prompt, 12), f"row {id}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_which_architectures_share_a_batch(architecture: str, models: Models) -> None:
    resident = Resident(Path(models(architecture).base))
    assert Batch(resident).resident.merges == (architecture in MERGING)


def test_a_model_that_minds_its_mask_runs_a_row_at_a_time(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Resident.forward

    def without_mask(self: Resident, ids: object, cache: object, **given: object) -> object:
        given.pop("attention_mask", None)
        return plain(self, ids, cache, **given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Resident, "forward", without_mask)
    spec, prompts = models("llama"), [prompt_of(4), prompt_of(9)]
    pieces = finish(generator, *(greedy(id, spec, prompt) for id, prompt in enumerate(prompts)))
    for id, prompt in enumerate(prompts):
        assert ids_of(pieces, id) == models.alone(spec, prompt, 12)
    assert not Batch(Resident(Path(spec.base))).resident.merges


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral-window"])
def test_adapters_and_the_base_in_one_batch(
    architecture: str, models: Models, generator: EmbeddedGenerator
) -> None:
    specs = [models(architecture, adapter) for adapter in (None, 1, 2, 1, None)]
    prompt = prompt_of(9)
    pieces = finish(generator, *(greedy(id, spec, prompt) for id, spec in enumerate(specs)))
    alone = [models.alone(spec, prompt, 12) for spec in specs[:3]]
    assert len({tuple(ids) for ids in alone}) == 3, "the adapters do nothing: this shows nothing"
    for id, expected in enumerate([*alone, alone[1], alone[0]]):
        assert ids_of(pieces, id) == expected, f"row {id}"


def test_a_long_prompt_is_read_in_parts_while_others_run(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 16)
    spec, long = models("llama"), prompt_of(100)
    generator.submit(greedy(1, spec, prompt_of(4), 40))
    pieces = generator.step()
    generator.submit(greedy(2, spec, long))
    while not ids_of(pieces, 2):
        before = len(ids_of(pieces, 1))
        pieces += generator.step()
        assert len(ids_of(pieces, 1)) == before + 1
    pieces += finish(generator)
    assert ids_of(pieces, 2) == models.alone(spec, long, 12)
    assert ids_of(pieces, 1) == models.alone(spec, prompt_of(4), 40)


def test_rows_that_leave_do_not_disturb_those_that_stay(
    models: Models, generator: EmbeddedGenerator
) -> None:
    spec = models("llama")
    prompts = [prompt_of(6 + id) for id in range(6)]
    counts = [30, 2, 30, 5, 9, 30]
    for id, prompt in enumerate(prompts):
        generator.submit(greedy(id, spec, prompt, counts[id]))
    pieces = [piece for _ in range(3) for piece in generator.step()]
    generator.cancel(0)
    pieces += finish(generator)
    for id in (1, 2, 3, 4, 5):
        assert ids_of(pieces, id) == models.alone(spec, prompts[id], counts[id]), f"row {id}"


def test_more_rows_than_run_at_once_all_end(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ROWS", 3)
    spec, prompt = models("llama"), prompt_of(5)
    pieces = finish(generator, *(greedy(id, spec, prompt, 4) for id in range(10)))
    assert {len(ids_of(pieces, id)) for id in range(10)} == {4}


def test_the_store_grows_with_its_rows(models: Models, generator: EmbeddedGenerator) -> None:
    spec = models("llama")
    pieces = finish(generator, greedy(1, spec, prompt_of(120), 150), greedy(2, spec, prompt_of(3)))
    assert ids_of(pieces, 1) == models.alone(spec, prompt_of(120), 150)
    assert ids_of(pieces, 2) == models.alone(spec, prompt_of(3), 12)
