import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import Heard, chat, colours, write_base
from transformers import AutoModelForCausalLM

from tunewright import durable
from tunewright.errors import JobFailed
from tunewright.rendering import Renderer
from tunewright.training import Stopped, loop
from tunewright.training.recipe import Recipe
from tunewright.training.report import Checkpoint, Finished, Message, Started, Step
from tunewright.training.supervised import train
from tunewright.weights.base import load_base
from tunewright.weights.lora import add, select
from tunewright.weights.peft import load_adapter

Make = Callable[..., Recipe]


@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_a_run_from_recipe_to_model(
    recipe: Make, said: Heard, tmp_path: Path, adaptation: str
) -> None:
    rate = {"lora": 1.0, "full": 10.0}[adaptation]
    given = recipe(
        colours(24),
        colours(6),
        adaptation=adaptation,
        n_epochs=6,
        learning_rate_multiplier=rate,
    )
    train(given, tmp_path / "task", said)

    (started,) = said.of(Started)
    assert started.hyperparameters == {
        "n_epochs": 6,
        "batch_size": 4,
        "learning_rate_multiplier": rate,
    }
    assert (started.total_steps, started.examples, started.resumed_from) == (36, 24, None)
    steps = said.of(Step)
    assert [s.step for s in steps] == list(range(1, 37))
    # LoRA on a base of random weights cannot touch the random head.
    fall = {"lora": 0.9, "full": 0.3}[adaptation]
    assert steps[-1].train_loss < fall * steps[0].train_loss
    assert steps[-1].train_mean_token_accuracy > 0.6 > steps[0].train_mean_token_accuracy
    assert steps[-1].valid_loss is not None
    assert [s.step for s in steps if s.full_valid_loss is not None] == [6, 12, 18, 24, 30, 36]
    kept = [c for c in said.of(Checkpoint) if c.epoch]
    assert [(c.step, c.epoch) for c in kept] == [(6 * e, e) for e in range(1, 7)]
    assert all(durable.verify(tmp_path / "task" / c.path) for c in kept)
    assert said[-1] == Finished("model", steps[-1].trained_tokens)
    about = durable.verify(tmp_path / "task" / "model")["about"]
    assert (about["base"], about["step"]) == ("tiny", 36)


def test_the_result_answers_what_it_was_taught(recipe: Make, said: Heard, tmp_path: Path) -> None:
    given = recipe(colours(24), n_epochs=12)
    train(given, tmp_path / "task", said)
    model = load_base(given.base, dtype=torch.float32)
    add(model, 0, load_adapter(tmp_path / "task" / "model"))
    select(model, 0)
    renderer = Renderer.load(tmp_path / "task" / "model", chat=True)
    for letter, colour in (("x", "red"), ("y", "green"), ("z", "blue")):
        prompt = torch.tensor([renderer.prompt([{"role": "user", "content": letter}])])
        out = model.generate(prompt, max_new_tokens=8, do_sample=False, eos_token_id=256)
        assert renderer.decode(out[0, prompt.shape[1] :].tolist()) == colour


def test_parity_says_what_the_written_model_answers(
    recipe: Make, said: Heard, tmp_path: Path
) -> None:
    given = recipe(colours(12), [chat("y", "green " * 40), *colours(12)])
    train(given, tmp_path / "task", said)
    rows = durable.read_json(tmp_path / "task" / "parity.json")["rows"]
    assert len(rows) == 8
    assert max(len(row["answer"]) for row in rows) <= 64
    plain = AutoModelForCausalLM.from_pretrained(given.base)
    for row in rows:
        assert (row["file"], row["turn"]) == ("validation", 0)
        ids = torch.tensor([row["prompt"] + row["answer"]])
        with torch.no_grad():
            logprobs = plain(ids).logits[0, len(row["prompt"]) - 1 : -1].log_softmax(-1)
        expected = logprobs.gather(1, torch.tensor(row["answer"])[:, None])[:, 0]
        torch.testing.assert_close(
            torch.tensor(row["base"]["logprobs"]), expected, atol=1e-4, rtol=1e-4
        )
        token, first, second = row["base"]["top"][0]
        best = logprobs[0].topk(2)
        assert token == best.indices[0]
        assert [first, second] == pytest.approx(best.values.tolist(), abs=1e-4)
        assert row["tuned"]["logprobs"] != row["base"]["logprobs"]


def test_a_full_result_keeps_the_bases_dtype_and_files(
    recipe: Make, said: Heard, tmp_path: Path
) -> None:
    given = recipe(base=write_base(tmp_path / "halved", "llama", torch.bfloat16), adaptation="full")
    train(given, tmp_path / "task", said)
    model = tmp_path / "task" / "model"
    weights = load_file(model / "model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.bfloat16}
    assert "lm_head.weight" not in weights  # tied
    assert json.loads((model / "config.json").read_text())["dtype"] == "bfloat16"
    for name in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (model / name).read_bytes() == (given.base / name).read_bytes()


def test_a_prompt_and_completion_file_trains_a_completion_base(
    recipe: Make, said: Heard, tmp_path: Path
) -> None:
    rows = [{"prompt": f"{i} ->", "completion": f" {i}"} for i in range(10)]
    train(recipe(rows, kind="completion", n_epochs=1), tmp_path / "task", said)
    assert isinstance(said[-1], Finished)


def test_stopping_leaves_a_resume_point_at_that_step(
    recipe: Make, said: Heard, tmp_path: Path
) -> None:
    given = recipe(n_epochs=4)
    with pytest.raises(Stopped):
        train(given, tmp_path / "task", said, lambda: len(said.of(Step)) == 5)
    train(given, tmp_path / "task", said)
    assert list(dict.fromkeys(s.step for s in said.of(Step))) == list(range(1, 13))
    assert said.of(Started)[1].resumed_from == 5
    again = said[said.index(said.of(Started)[1]) :]
    assert next(s for s in again if isinstance(s, Checkpoint)).path == "checkpoints/step-3"


def test_a_diverging_run_says_so(recipe: Make, said: Heard, tmp_path: Path) -> None:
    given = recipe(adaptation="full", n_epochs=10, learning_rate_multiplier=1e38)
    with pytest.raises(JobFailed, match="smaller learning_rate") as failed:
        train(given, tmp_path / "task", said)
    assert failed.value.code == "training_diverged"
    assert not (tmp_path / "task" / "model").exists()


def test_a_finished_run_only_repeats_its_last_words(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recipe()
    train(given, tmp_path / "task", said)
    finished = said[-1]
    monkeypatch.setattr(loop, "learn", None)
    again = Heard()
    train(given, tmp_path / "task", again)
    assert again[-1] == finished
    assert [c.step for c in again.of(Checkpoint)] == [3, 6]
    assert again.of(Step) == said.of(Step)


def test_what_is_cut_is_said(recipe: Make, said: Heard, tmp_path: Path) -> None:
    rows = [*colours(10), chat("a", "b" * 600), chat("c" * 600, "d")]
    train(recipe(rows, n_epochs=1), tmp_path / "task", said)
    cut, dropped = said.of(Message)
    assert "1 example is longer" in cut.message
    assert "left out" in dropped.message
