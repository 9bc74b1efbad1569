"""Seconds of a LoRA step: ``python -m gpu.trainers BASE TASK NAME STEPS``.

Rank 8 on all linear layers, 16 rows a step, one epoch, bfloat16. Timed is from the end of a step to
the end of the next, the GPU waited for; the median, without the first steps.

    tunewright  as a job runs it
    trl         SFTTrainer as it comes: all tokens are learnt, checkpointing, 8 rows at once
    trl-best    the answers alone, no checkpointing, all 16 rows at once, weights in bfloat16
    trl-liger   the same with Liger's kernels
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from gpu.rows import BATCH, rows, write
from tunewright.weights import base as weights

RATE, RANK, ALPHA, WARM = 5e-4, 8, 32, 3


def tunewright(base: Path, task: str, steps: int, folder: Path) -> tuple[list[float], list[float]]:
    from transformers import AutoConfig

    from tunewright.training.defaults import Facts, learning_rate
    from tunewright.training.recipe import Recipe
    from tunewright.training.report import Said
    from tunewright.training.supervised import train

    write(task, steps * BATCH, folder / "rows.jsonl")
    config = AutoConfig.from_pretrained(base)
    usual = learning_rate(Facts(0, 0, config.model_type, config.hidden_size, 0), full=False)
    recipe = Recipe(
        base=base,
        base_name="bench",
        kind="chat",
        training_file=folder / "rows.jsonl",
        learning_rate_multiplier=RATE / usual,
        rank=RANK,
        alpha=ALPHA,
        n_epochs=1,
        batch_size=BATCH,
        speed=folder / "speed.json",
    )
    ends: list[float] = []
    losses: list[float] = []

    def report(said: Said, /) -> None:
        if said.kind == "step":
            ends.append(_now())
            losses.append(said.train_loss)
        elif said.kind in ("plan", "message"):
            print(said.message, file=sys.stderr)

    train(recipe, folder / "run", report, resume_seconds=1e9)
    return ends, losses


def trl(
    base: Path, task: str, steps: int, folder: Path, *, best: bool = False, liger: bool = False
) -> tuple[list[float], list[float]]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    ends: list[float] = []
    losses: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            ends.append(_now())

        def on_log(self, *_: object, logs: dict[str, float], **__: object) -> None:
            losses.append(logs.get("loss", float("nan")))

    given = rows(task, steps * BATCH)
    if best:
        given = [{"prompt": r["messages"][:-1], "completion": r["messages"][-1:]} for r in given]
    at_once = BATCH if best else 8
    config = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=BATCH // at_once,
        learning_rate=RATE,
        max_length=1024,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        log_level="error",
        use_cpu=not torch.cuda.is_available(),
        bf16=True,
        use_liger_kernel=liger,
        **({"gradient_checkpointing": False} if best else {}),
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.bfloat16 if best else torch.float32
        ),
        args=config,
        train_dataset=Dataset.from_list(given),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        callbacks=[Clock()],
    )
    trainer.train()
    return ends, losses


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    base, task, name, steps = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    began = _now()
    with tempfile.TemporaryDirectory() as folder:
        if name == "tunewright":
            ends, losses = tunewright(base, task, steps, Path(folder))
        else:
            best, liger = name != "trl", name == "trl-liger"
            ends, losses = trl(base, task, steps, Path(folder), best=best, liger=liger)
    took = [after - before for before, after in zip(ends[WARM:], ends[WARM + 1 :], strict=False)]
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    step = statistics.median(took)
    print(
        json.dumps(
            {
                "device": str(weights.device()),
                "step_s": round(step, 4),
                "rows_s": round(BATCH / step, 1),
                "until_first_step_s": round(ends[0] - began, 1),
                "peak_gib": round(peak / 2**30, 2),
                "losses": [round(loss, 3) for loss in losses],
            }
        )
    )


if __name__ == "__main__":
    main()
