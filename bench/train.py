"""Fine-tuning against TRL's SFTTrainer and against PEFT with a plain loop.

Same base, rows, rows a step, epochs, learning rate and LoRA (all linear layers); each contender in
a process of its own, in turn; medians. Timed: from the first step to the last, without loading.

    trl       SFTTrainer as it comes: all tokens are learnt, checkpointing, bf16
    trl-best  its best here: the answers alone, no checkpointing, float32 where bf16 is slow
    peft      PEFT and a plain loop: padded batches of 8, logits at every position
    tunewright

Data: reviews (a system prompt of some 200 tokens, the answer a word), gsm8k (one of some 60, worked
answers), apart (no two rows begin alike). Bases: a directory, or `135m`: SmolLM2's shape, random.

    .venv/bin/pip install trl==1.16.0
    .venv/bin/python bench/train.py --data ../shared/data [--base DIR|135m] [--task reviews]
"""

import argparse
import csv
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright import builtin

RATE, RANK, ALPHA, BATCH = 5e-4, 8, 32, 16
SYSTEM = """\
You read reviews that customers of a shop for food and drink have written. Decide whether the writer
of the review was pleased with what was bought. Answer with one word: positive or negative. Pleased
means that the writer would buy it again or tells others to buy it. Not pleased means that the
writer is sorry to have bought it, sends it back or warns others. Judge only what the writer says
about the product itself: how it tastes, how fresh it is, how it is packed, what it costs and
whether it is what was promised. Leave aside what the writer says about the post, about the shop or
about other products. Where the writer praises one thing and complains about another, decide by what
the writer would do the next time. Do not explain the answer, do not ask questions, do not repeat
the review and do not write anything but the one word, in small letters and without a full stop."""
TUTOR = """\
You are a patient teacher of arithmetic for children. Work the problem out step by step, write each
step on a line of its own, and end with a line that has four number signs and the result alone. Use
plain words, and check each step before you write the next one."""


@dataclass(frozen=True)
class Work:
    base: str
    train: list[dict[str, Any]]
    valid: list[dict[str, Any]]
    epochs: int


@dataclass(frozen=True)
class Result:
    cpu: float
    wall: float
    peak: float
    loss: float


def _chat(system: str, question: str, answer: str) -> dict[str, Any]:
    said = [("user", question), ("assistant", answer)]
    first = [("system", system)] if system else []
    return {"messages": [{"role": role, "content": text} for role, text in [*first, *said]]}


def reviews(data: Path) -> list[dict[str, Any]]:
    with (data / "fine_food_reviews_1k.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Score"] != "3"]
    mood = ("negative", "positive")
    return [_chat(SYSTEM, r["Text"][:400], mood[int(r["Score"]) > 3]) for r in rows]


def gsm8k(data: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (data / "gsm8k_train.jsonl").read_text().splitlines())
    return [_chat(TUTOR, row["question"], row["answer"]) for row in rows]


def apart(data: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (data / "gsm8k_train.jsonl").read_text().splitlines())
    return [_chat("", row["question"], row["answer"]) for row in rows]


TASKS = {"reviews": reviews, "gsm8k": gsm8k, "apart": apart}


def tunewright(work: Work, folder: Path) -> "Timed":
    from transformers import AutoConfig

    from tunewright.training.defaults import Facts, learning_rate
    from tunewright.training.recipe import Recipe
    from tunewright.training.report import Message, Said
    from tunewright.training.supervised import train

    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in work.train))
    hidden = AutoConfig.from_pretrained(work.base).hidden_size
    ours = learning_rate(Facts(0, 0, "llama", hidden, 0), full=False)
    recipe = Recipe(
        base=Path(work.base),
        base_name="bench",
        kind="chat",
        training_file=file,
        rank=RANK,
        alpha=ALPHA,
        n_epochs=work.epochs,
        batch_size=BATCH,
        learning_rate_multiplier=RATE / ours,
    )
    clock = Timed()

    def report(said: Said, /) -> None:
        if isinstance(said, Message):
            print(f"      {said.message}", flush=True)
        elif said.kind in ("started", "forecast"):
            clock.start()
        elif said.kind == "step":
            clock.stop()

    train(recipe, folder / "run", report)
    return clock


class Timed:
    """CPU and wall seconds from the last start to the last stop; the process's peak memory then."""

    def start(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        self.cpu = time.process_time() - self._began[0]
        self.wall = time.perf_counter() - self._began[1]
        self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def trl(work: Work, folder: Path) -> Timed:
    return _trl(work, folder, {}, work.train)


def trl_best(work: Work, folder: Path) -> Timed:
    rows = [
        {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]} for row in work.train
    ]
    options = {
        "gradient_checkpointing": False,
        "bf16": _fast_bf16(),
        "per_device_train_batch_size": BATCH,
    }
    return _trl(work, folder, options, rows)


def _trl(work: Work, folder: Path, options: dict[str, Any], rows: list[dict[str, Any]]) -> Timed:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(work.base)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    settings = {"per_device_train_batch_size": 8, **options}
    config = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=work.epochs,
        gradient_accumulation_steps=BATCH // settings["per_device_train_batch_size"],
        learning_rate=RATE,
        warmup_steps=0,
        max_length=1024,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        **settings,
    )
    clock = Timed()

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: object, **__: object) -> None:
            clock.start()

        def on_step_end(self, *_: object, **__: object) -> None:
            clock.stop()

    model = AutoModelForCausalLM.from_pretrained(work.base, dtype="float32")
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=_peft(),
        callbacks=[Clock()],
    )
    trainer.train()
    trainer.model.save_pretrained(folder / "run/model")
    return clock


def peft(work: Work, folder: Path) -> Timed:
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(work.base, dtype="float32")
    model = get_peft_model(model, _peft())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE)
    samples = _samples(work.base, work.train, folder)
    torch.manual_seed(0)
    clock = Timed()
    clock.start()
    for _ in range(work.epochs):
        order = torch.randperm(len(samples)).tolist()
        for start in range(0, len(order), BATCH):
            step = [samples[at] for at in order[start : start + BATCH]]
            supervised = sum(sample.supervised for sample in step)
            for some in (step[:8], step[8:]):
                if some:
                    loss, count = _padded_loss(model, some)
                    (loss * count / supervised).backward()
            optimizer.step()
            optimizer.zero_grad()
    clock.stop()
    model.save_pretrained(folder / "run/model")
    return clock


def _padded_loss(model: Any, samples: list[Any]) -> tuple[Any, int]:
    """The loss of the Hugging Face model: padded, masked, -100 outside the answers."""
    import torch

    width = max(len(sample.ids) for sample in samples)
    ids = torch.zeros(len(samples), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, sample in enumerate(samples):
        length = len(sample.ids)
        ids[row, :length] = torch.tensor(sample.ids)
        mask[row, :length] = 1
        labels[row, sample.start : length] = ids[row, sample.start : length]
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    return loss, sum(sample.supervised for sample in samples)


def _samples(base: str, rows: list[dict[str, Any]], folder: Path) -> list[Any]:
    from tunewright.rendering import Renderer
    from tunewright.training.examples import read

    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(file, Renderer.load(Path(base), chat=True), "chat").all


def _peft() -> Any:
    from peft import LoraConfig

    return LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")


def _fast_bf16() -> bool:
    import torch

    from tunewright.weights.base import compute_dtype

    return compute_dtype() is torch.bfloat16


def _validation_loss(work: Work, folder: Path) -> float:
    """Nats a supervised token of the held-out rows, by the plain forward, of what was saved."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(work.base, dtype="float32")
    model = PeftModel.from_pretrained(model, str(folder / "run/model"))
    total, count = 0.0, 0
    with torch.no_grad():
        for sample in _samples(work.base, work.valid, folder):
            loss, supervised = _padded_loss(model, [sample])
            total, count = total + loss.item() * supervised, count + supervised
    return total / count


CONTENDERS = {"trl": trl, "trl-best": trl_best, "peft": peft, "tunewright": tunewright}


def _run(name: str, work: Work, results: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        clock = CONTENDERS[name](work, folder)
        loss = _validation_loss(work, folder)
        results.put(Result(clock.cpu, clock.wall, clock.peak, loss))


def _apart(name: str, work: Work) -> Result:
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    process = spawn.Process(target=_run, args=(name, work, results))
    process.start()
    found: Result = results.get(timeout=3600)
    process.join()
    return found


def _of_shape_135m(directory: Path) -> str:
    """SmolLM2-135M's shape with random weights, and the built-in base's tokenizer and template."""
    import shutil

    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=49152,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        rope_theta=1e5,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(builtin.CHAT / name, directory)
    return str(directory)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of reviews and gsm8k")
    parser.add_argument("--base", default=str(builtin.CHAT), help="a directory, or 135m")
    parser.add_argument("--task", choices=TASKS, action="append", help="default: all")
    parser.add_argument("--only", choices=CONTENDERS, action="append", help="default: all")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        base = _of_shape_135m(Path(directory)) if options.base == "135m" else options.base
        for task in options.task or TASKS:
            rows = TASKS[task](options.data)
            train, valid = rows[: options.rows], rows[options.rows : options.rows + 64]
            _compare(task, Work(base, train, valid, options.epochs), options)


def _compare(task: str, work: Work, options: argparse.Namespace) -> None:
    found: dict[str, list[Result]] = {name: [] for name in options.only or CONTENDERS}
    for turn in range(options.rounds):
        for name, results in found.items():
            results.append(_apart(name, work))
            print(f"  {task} {turn + 1} {name}: {results[-1]}", flush=True)
    ours = _medians(found["tunewright"]) if "tunewright" in found else None
    for name, results in found.items():
        cpu, wall, peak, loss = _medians(results)
        ratio = f"{wall / ours[1]:5.2f}x wall {cpu / ours[0]:5.2f}x CPU" if ours else ""
        print(
            f"{task:8} {name:11} {cpu:7.1f} CPU s {wall:7.1f} s {peak:6.0f} MiB "
            f"loss {loss:.4f}  {ratio}",
            flush=True,
        )


def _medians(results: list[Result]) -> tuple[float, float, float, float]:
    columns = zip(*((r.cpu, r.wall, r.peak, r.loss) for r in results), strict=True)
    cpu, wall, peak, loss = (statistics.median(column) for column in columns)
    return cpu, wall, peak, loss


if __name__ == "__main__":
    main()
