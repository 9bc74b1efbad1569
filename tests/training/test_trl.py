"""TRL as an oracle: its SFTTrainer and ours on the same rows give the same loss and gradients.

TRL renders the rows, finds the answers by the template's marks, pads, and divides by the supervised
tokens of the step, all in its own code. Importing it takes seconds, so it is asked once, here only.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from plans import close
from tiny import chat, write_rows
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel

from tunewright import builtin
from tunewright.rendering import Renderer
from tunewright.training.examples import Sample, read
from tunewright.training.loss import Objective
from tunewright.training.plans.costs import Costs
from tunewright.training.plans.planner import Kind, Piece, Planner
from tunewright.weights.base import load_base

SYSTEM = {"role": "system", "content": "You name the colour of what you are told of, shortly."}
TWO_TURNS = [
    *chat("The sky by day?", "Blue.")["messages"],
    *chat("And by night?", "Black, but for the moon and for some two thousand stars.")["messages"],
]
ROWS: list[list[dict[str, Any]]] = [
    [SYSTEM, *chat("Grass?", "Green.")["messages"]],
    [SYSTEM, *chat("A ripe tomato, please?", "Red, and before it is ripe green.")["messages"]],
    [SYSTEM, *chat("Snow?", "White!")["messages"]],
    [SYSTEM, *TWO_TURNS],
    [SYSTEM, *chat("Coal?", "Black.")["messages"]],
    chat("Nothing said of the rules?", "Then I may answer at whatever length I like.")["messages"],
]
MICRO = 2  # rows of a forward pass of TRL's; three of them are a step


@dataclass(frozen=True)
class Step:
    loss: float
    gradients: dict[str, Tensor]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with the tokenizer and the template of the built-in base."""
    directory = tmp_path_factory.mktemp("trl") / "base"
    torch.manual_seed(3)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=8192,
        initializer_range=0.3,  # so large that what a row sees decides what it says
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(builtin.CHAT / name, directory)
    return directory


@pytest.fixture(scope="module")
def theirs(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Step:
    """One step of SFTTrainer over all rows, in three forward passes."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    taken: dict[str, Tensor] = {}

    class Take(TrainerCallback):
        def on_pre_optimizer_step(self, *_: object, model: PreTrainedModel, **__: object) -> None:
            taken.update(_gradients(model))

    config = SFTConfig(
        output_dir=str(tmp_path_factory.mktemp("trl") / "out"),
        assistant_only_loss=True,
        per_device_train_batch_size=MICRO,
        gradient_accumulation_steps=len(ROWS) // MICRO,
        max_steps=1,
        max_grad_norm=0,
        bf16=False,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        args=config,
        train_dataset=Dataset.from_list([{"messages": row} for row in ROWS]),
        processing_class=AutoTokenizer.from_pretrained(base),
        callbacks=[Take()],
    )
    trainer.train()
    return Step(trainer.state.log_history[0]["loss"], taken)


def _gradients(model: PreTrainedModel) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.fixture
def samples(base: Path, tmp_path: Path) -> list[Sample]:
    file = write_rows(tmp_path / "rows.jsonl", [{"messages": row} for row in ROWS])
    return read(file, Renderer.load(base, chat=True), "chat").all


@pytest.mark.parametrize("shared", ["prefix", "forest", None])
def test_a_step_is_that_of_trl(
    shared: Kind | None, base: Path, theirs: Step, samples: list[Sample]
) -> None:
    assert len({sample.supervised for sample in samples}) > 3
    model = load_base(base, dtype=torch.float32)
    kinds = frozenset[Kind]({"rows", shared} if shared else {"rows"})
    pieces = Planner(_free(model), kinds).plan(samples, 200)
    assert {piece.kind for piece in pieces} == kinds  # one row begins like no other
    ours = _step(model, pieces, samples)
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
    close(ours.gradients, theirs.gradients, 1e-4)


@pytest.mark.parametrize("fault", ["one token more", "one row less", "a mean of means"])
def test_a_wrong_step_is_not(fault: str, base: Path, theirs: Step, samples: list[Sample]) -> None:
    """The comparison can fail: with what is easily got wrong, it does."""
    model = load_base(base, dtype=torch.float32)
    if fault == "one token more":  # each prompt's last token is learnt as well
        samples = [Sample(s.ids, s.start - 1, s.line, s.turn) for s in samples]
    elif fault == "one row less":
        samples = samples[1:]
    ours = _step(model, [Piece("rows", [samples])], samples)
    if fault == "a mean of means":
        rows = [Objective(model).judge(Piece("rows", [[s]])).mean_loss for s in samples]
        assert sum(rows) / len(rows) != pytest.approx(theirs.loss, rel=1e-3)
        return
    assert ours.loss != pytest.approx(theirs.loss, rel=1e-3)
    with pytest.raises(AssertionError):
        close(ours.gradients, theirs.gradients, 1e-2)


def _step(model: PreTrainedModel, pieces: list[Piece], samples: list[Sample]) -> Step:
    supervised = sum(sample.supervised for sample in samples)
    objective = Objective(model, "head")
    loss = sum(objective.learn(piece, 1 / supervised).loss.item() for piece in pieces)
    return Step(loss / supervised, _gradients(model))


def _free(model: PreTrainedModel) -> Costs:
    """Shares wherever it may: calls cost nothing."""
    costs = Costs.of(model)
    return replace(costs, rates=replace(costs.rates, call=0.0))
