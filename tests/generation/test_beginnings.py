"""What an organisation's prompts have in common is read once, and never for another one."""

import pytest
from test_reading import Passes, ask, passes
from tiny_models import MERGING, Models, finish, ids_of, prompt_of

from tunewright.generation import beginnings
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request

__all__ = ["passes"]  # the fixture
SYSTEM = prompt_of(64, 7)


def begun(own: int, seed: int = 1) -> list[int]:
    return [*SYSTEM, *prompt_of(own, seed)]


def answers(models: Models, generator: EmbeddedGenerator, *rows: Request) -> None:
    """Each row's answer is what transformers makes of it alone."""
    pieces = finish(generator, *rows)
    for row in rows:
        alone = models.alone(row.model, row.prompt, row.max_tokens)
        assert ids_of(pieces, row.id) == alone, f"row {row.id}"


@pytest.mark.parametrize("architecture", MERGING)
def test_a_beginning_is_read_once(
    architecture: str, models: Models, generator: EmbeddedGenerator, passes: Passes
) -> None:
    spec = models(architecture)
    generator.load(spec)
    answers(models, generator, ask(1, spec, begun(9), 3))
    passes.clear()
    answers(models, generator, *[ask(id, spec, begun(10 + id, id), 3) for id in (2, 3, 4)])
    assert passes[0] == (3, 14)
    assert all(tokens == 1 for _, tokens in passes[1:])


def test_whole_turns_of_a_conversation_are_known(
    models: Models, generator: EmbeddedGenerator, passes: Passes
) -> None:
    """Parts that are read one after the other too, and a prompt that is known to its last token."""
    spec = models("llama")
    generator.load(spec)
    first = prompt_of(290, 2)
    answers(models, generator, ask(1, spec, first, 2))
    second = [*first, *prompt_of(20, 3)]
    passes.clear()
    answers(models, generator, ask(2, spec, second, 2), ask(3, spec, first, 2))
    assert passes[0] == (2, 22)


def test_others_do_not_profit(models: Models, generator: EmbeddedGenerator, passes: Passes) -> None:
    """Another organisation, another adapter, nobody's rows, and a model that was unloaded."""
    plain, tuned = models("llama"), models("llama", 1)
    generator.load(tuned)
    answers(models, generator, ask(1, plain, begun(9)))

    def read(spec: ModelSpec, organisation: str) -> int:
        passes.clear()
        answers(models, generator, ask(2, spec, begun(12), organisation=organisation))
        return passes[0][1]

    assert read(plain, "other") == 76
    assert read(tuned, "org") == 76
    assert read(tuned, "org") < 16
    assert read(plain, "") == 76
    assert read(plain, "") == 76
    generator.unload(tuned.key)
    assert read(tuned, "org") == 76
    assert read(plain, "org") < 16


def test_what_is_kept_is_bounded(
    models: Models,
    generator: EmbeddedGenerator,
    passes: Passes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The least recently used goes first, of an organisation that has its part already its own."""
    spec = models("llama")
    generator.load(spec)
    finish(generator, ask(1, spec, prompt_of(80, 1), organisation="small"))
    ((_, [kept]),) = generator._batches[spec.base, ""].batch.resident.beginnings._kept.items()
    monkeypatch.setattr(beginnings, "BYTES", 8 * kept.bytes)
    for seed in (2, 3, 4):
        finish(generator, ask(seed, spec, prompt_of(80, seed), organisation="large"))
    passes.clear()
    for seed, organisation in ((1, "small"), (4, "large"), (3, "large"), (2, "large")):
        finish(generator, ask(seed, spec, prompt_of(80, seed), organisation=organisation))
    assert [tokens for _, tokens in passes] == [8, 8, 8, 80]
