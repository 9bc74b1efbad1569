"""Generation in bfloat16, on whatever processor: as near to float32 as its 8 bits allow.

How near that is is measured on the plain forward pass, which loses by rounding only; the engine's
way to the same numbers rounds independently and may lose as much again. What is wrong loses more.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_models import ARCHITECTURES, MERGING, Models, finish, make_model, prompt_of
from torch import Tensor

from tunewright import builtin
from tunewright.generation import probe
from tunewright.generation.batch import Batch
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request, Scores
from tunewright.generation.resident import Resident
from tunewright.weights import lora
from tunewright.weights.base import computing_in, load_base
from tunewright.weights.peft import load_adapter

pytestmark = pytest.mark.bfloat16
CHAT = Path(builtin.__file__).parent / "chat"
UNIT = 2.0**-9


@pytest.fixture(autouse=True)
def in_bfloat16() -> Iterator[None]:
    with computing_in(torch.bfloat16):
        yield


def forward(spec: ModelSpec, tokens: list[int], dtype: torch.dtype) -> Tensor:
    """Logits [tokens, vocabulary] of one plain forward pass."""
    model = load_base(Path(spec.base), dtype=dtype)
    if spec.adapter is not None:
        lora.add(model, 0, load_adapter(Path(spec.adapter)))
        lora.select(model, 0)
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0].float()


def told(
    spec: ModelSpec, prompt: list[int], answer: list[int], dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of `answer`, and the standard deviation of the logits that they are of."""
    logits = forward(spec, prompt + answer, dtype)[len(prompt) - 1 : -1]
    chosen = logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0]
    return chosen, logits.std(-1)


def off(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> float:
    """The largest difference, in standard deviations of the logits."""
    return float(((found[0] - expected[0]).abs() / expected[1]).max())


def scores(pieces: list, id: int) -> Scores:
    (found,) = (piece.scores for piece in pieces if piece.id == id and piece.scores is not None)
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_same_architectures_share_a_batch(architecture: str, models: Models) -> None:
    resident = Resident(Path(models(architecture).base))
    assert resident.model.dtype == torch.bfloat16
    assert Batch(resident).resident.merges == (architecture in MERGING)


def test_a_base_of_thirty_layers_shares_a_batch_though_rounding_gathers(tmp_path: Path) -> None:
    """Measured on SmolLM2-135M: 0.15 of the logits' deviation, and 2e-5 in float32. One wrong
    position, in one of the layers, is noticed below that."""
    config = {"num_hidden_layers": 30, "vocab_size": 8192}
    base = make_model(tmp_path / "deep", **config, initializer_range=0.08)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (base / name).write_bytes((CHAT / name).read_bytes())
    resident = Resident(base)
    tokens = probe.ordinary_tokens(base, resident.vocabulary, resident.context)
    assert len(tokens) > 12
    assert probe.refusal(resident) is None


@pytest.mark.parametrize("fault", ["attention_mask", "position_ids"])
def test_what_a_base_minds_is_noticed_below_its_rounding_and_logged(
    fault: str, models: Models, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A little too much of it: as if a hundredth of what is hidden were seen."""
    plain = Resident.forward

    def minding(self: Resident, ids: object, cache: object, **given: Tensor) -> object:
        if fault == "attention_mask" and fault in given:
            given[fault] = given[fault].clamp(min=-5.0)
        if fault == "position_ids" and "attention_mask" in given:
            given[fault] = given[fault] + 1
        return plain(self, ids, cache, **given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Resident, "forward", minding)
    with caplog.at_level(logging.WARNING):
        assert not Batch(Resident(Path(models("qwen3").base))).resident.merges
    assert "do not share a batch, so each is computed alone: in " in caplog.text
    assert "of its logits' standard deviation, more than" in caplog.text


def test_why_an_architecture_shares_no_batch_is_logged(
    models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Resident(Path(models("mistral-window").base))
    assert "its window of 9 tokens is shorter than its context of 400" in caplog.text


def test_scores_are_as_near_to_float32_as_rounding_lets_them(
    models: Models, generator: EmbeddedGenerator
) -> None:
    specs = [models("llama"), models("llama", 1), models("llama", 2)]
    prompts, answer = [prompt_of(length) for length in (5, 40, 17)], prompt_of(6, seed=4)
    rows = [(spec, prompt) for spec in specs for prompt in prompts]
    pieces = finish(
        generator,
        *(Request(id, spec, p, forced=answer) for id, (spec, p) in enumerate(rows)),
    )
    noise = max(off(told(*row, answer, torch.bfloat16), told(*row, answer)) for row in rows)
    # Their attention is nearly a choice, which multiplies what goes in; it stays rounding for that.
    assert UNIT < noise < 64 * UNIT
    for id, (spec, prompt) in enumerate(rows):
        found = (torch.tensor(scores(pieces, id).logprobs), torch.ones(1))
        assert off(found, told(spec, prompt, answer)) <= 2 * noise
        other = next(one for one in specs if one != spec)
        for wrong in ((other, prompt), (spec, prompt[:-1]), (spec, prompt[::-1])):
            assert off(found, told(*wrong, answer)) > 2 * noise, "what is wrong is noticed"


def test_a_seeded_row_is_the_same_when_it_runs_alone_again(
    models: Models, generator: EmbeddedGenerator
) -> None:
    """Beside others its sums are made in another order; alone, in the same one."""
    row = Request(1, models("llama"), prompt_of(9), max_tokens=20, temperature=1.0, seed=3)
    first, again = ([p.ids for p in finish(generator, row)] for _ in range(2))
    assert first == again
