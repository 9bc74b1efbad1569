"""The trainers. Each learns `work`, timed by `meter`, and leaves an adapter in folder/run/model."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from training import ALPHA, BATCH, RANK, RATE
from training.meter import Meter
from training.work import Work, samples
from tunewright.training import run
from tunewright.training.defaults import Facts, learning_rate, rate_at
from tunewright.training.order import Order
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message, Said
from tunewright.training.steps import LARGEST_GRADIENT
from tunewright.training.supervised import train
from tunewright.weights.base import compute_dtype


def tunewright(work: Work, folder: Path, meter: Meter) -> None:
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in work.train))
    hidden = AutoConfig.from_pretrained(work.base).hidden_size
    ours = learning_rate(Facts(0, 0, "llama", hidden, 0), full=False)
    recipe = Recipe(
        base=work.base,
        base_name="bench",
        kind="chat",
        training_file=file,
        rank=RANK,
        alpha=ALPHA,
        n_epochs=work.epochs,
        batch_size=BATCH,
        learning_rate_multiplier=RATE / ours,
        seed=work.seed,
    )
    load = run.load_base
    run.load_base = lambda *given, **named: meter.watch(load(*given, **named))
    if work.threads:
        run.threads = lambda _: work.threads

    def report(said: Said, /) -> None:
        if isinstance(said, Message):
            print(f"      {said.message}", flush=True)
        elif said.kind == "started":
            meter.start()
        elif said.kind == "forecast":  # which is what has warmed it up
            meter.stop()
            meter.forecast = meter.cpu
            meter.start()
        elif said.kind == "step":
            meter.stop()

    train(recipe, folder / "run", report)


def trl(work: Work, folder: Path, meter: Meter) -> None:
    _trl(work, folder, meter, {}, work.train)


def trl_float32(work: Work, folder: Path, meter: Meter) -> None:
    _trl(work, folder, meter, {"bf16": _fast_bf16()}, work.train)


def trl_best(work: Work, folder: Path, meter: Meter, **options: Any) -> None:
    """The answers alone. options: of SFTConfig, beside what is best."""
    every = (row["messages"] for row in work.train)
    rows = [{"prompt": said[:-1], "completion": said[-1:]} for said in every]
    best = {
        "gradient_checkpointing": False,
        "bf16": _fast_bf16(),
        "per_device_train_batch_size": 1,  # 2, 4, 8, 16 on reviews: 18 to 48 % longer
    }
    _trl(work, folder, meter, {**best, **options}, rows)


def _trl(
    work: Work, folder: Path, meter: Meter, options: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    settings = {"per_device_train_batch_size": 8, "max_length": 1024, **options}
    config = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=work.epochs,
        gradient_accumulation_steps=BATCH // settings["per_device_train_batch_size"],
        learning_rate=RATE,
        seed=work.seed,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        **settings,
    )

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: object, model: Any, **__: object) -> None:
            warm(model)
            meter.start()

        def on_step_end(self, *_: object, **__: object) -> None:
            meter.stop()

    model = AutoModelForCausalLM.from_pretrained(work.base, dtype="float32")
    trainer = SFTTrainer(
        model=meter.watch(model, again=config.gradient_checkpointing, trl=True),
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(work.base),
        peft_config=_peft(),
        callbacks=[Clock()],
    )
    trainer.train()
    trainer.model.save_pretrained(folder / "run/model")


def peft(work: Work, folder: Path, meter: Meter, at_once: int = 8) -> None:
    from peft import get_peft_model

    model = meter.watch(AutoModelForCausalLM.from_pretrained(work.base, dtype="float32"))
    torch.manual_seed(work.seed)
    model = get_peft_model(model, _peft()).train()
    loop(work, folder, meter, model, lambda step: learn_padded(model, step, at_once))
    model.save_pretrained(folder / "run/model")


def loop(
    work: Work, folder: Path, meter: Meter, model: Any, learn: Callable[[list[Any]], None]
) -> None:
    """The plain loop: `learn` adds the gradients of a step's rows to the parameters'."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0, fused=True)
    rows = samples(work.base, work.train, folder)
    order = Order(len(rows), BATCH, work.epochs, work.seed)
    warm(model)
    meter.start()
    for step in range(order.total):
        learn([rows[at] for at in order.of(step)])
        torch.nn.utils.clip_grad_norm_(trained, LARGEST_GRADIENT)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, order.total, RATE)
        optimizer.step()
        optimizer.zero_grad()
    meter.stop()


def warm(model: Any) -> None:
    """What the first pass of a process takes longer is not a trainer's: ours has its forecast."""
    ids = torch.arange(64).repeat(2, 1)
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    model.zero_grad()


def learn_padded(model: Any, step: Sequence[Any], at_once: int = 8, *, masked: bool = True) -> None:
    """Batches as the rows come, padded; the loss of the Hugging Face model."""
    supervised = sum(sample.supervised for sample in step)
    for start in range(0, len(step), at_once):
        some = step[start : start + at_once]
        share = sum(sample.supervised for sample in some) / supervised
        (padded_loss(model, some, masked=masked) * share).backward()


def padded_loss(model: Any, some: Sequence[Any], *, masked: bool = True) -> torch.Tensor:
    """Nats a supervised token. -100 outside the answers."""
    width = max(len(sample.ids) for sample in some)
    ids = torch.zeros(len(some), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, sample in enumerate(some):
        length = len(sample.ids)
        ids[row, :length] = torch.tensor(sample.ids)
        mask[row, :length] = 1
        labels[row, sample.start : length] = ids[row, sample.start : length]
    given = {"attention_mask": mask} if masked else {}
    return model(input_ids=ids, labels=labels, use_cache=False, **given).loss


def validation_loss(work: Work, folder: Path) -> float:
    """Nats a supervised token of the held-out rows, by the plain forward, of what was saved."""
    from peft import PeftModel

    base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(work.base, dtype="float32")
    model = PeftModel.from_pretrained(base, str(folder / "run/model"))
    total, count = 0.0, 0
    with torch.no_grad():
        for sample in samples(work.base, work.valid, folder):
            ids = torch.tensor(sample.ids, dtype=torch.long)[None]
            own = sample.supervised
            logits = model(input_ids=ids, use_cache=False, logits_to_keep=own + 1).logits[0, :-1]
            total += torch.nn.functional.cross_entropy(logits, ids[0, -own:], reduction="sum")
            count += own
    return float(total) / count


def _peft() -> Any:
    from peft import LoraConfig

    return LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")


def _fast_bf16() -> bool:
    return compute_dtype() is torch.bfloat16


CONTENDERS: dict[str, Callable[[Work, Path, Meter], None]] = {
    "tunewright": tunewright,
    "trl": trl,
    "trl-float32": trl_float32,
    "trl-best": trl_best,
    "trl-2": partial(trl_best, per_device_train_batch_size=2),
    "trl-4": partial(trl_best, per_device_train_batch_size=4),
    "trl-8": partial(trl_best, per_device_train_batch_size=8),
    "trl-16": partial(trl_best, per_device_train_batch_size=16),
    "trl-grouped": partial(
        trl_best, per_device_train_batch_size=8, train_sampling_strategy="group_by_length"
    ),
    "trl-free": partial(
        trl_best, per_device_train_batch_size=4, padding_free=True, max_length=None
    ),
    "peft": peft,
    "peft-1": partial(peft, at_once=1),
}
