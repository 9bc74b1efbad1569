"""Everything that a run computes with, made ready from its recipe."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import torch
import transformers
from transformers import PreTrainedModel

from tunewright import durable
from tunewright.rendering import Renderer
from tunewright.training.attending import examined, way
from tunewright.training.defaults import Facts, Hyperparameters, resolve
from tunewright.training.examples import Examples, Sample, read
from tunewright.training.loss import Objective
from tunewright.training.memory import Room
from tunewright.training.objective import Method
from tunewright.training.order import Order
from tunewright.training.plans.costs import Costs
from tunewright.training.plans.planner import BUDGETS, Piece, Planner, Summary
from tunewright.training.ranks import ALONE, Ranks
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message, Planned, Report, Started
from tunewright.training.saving import base_fingerprint
from tunewright.training.selfcheck import Verdict
from tunewright.training.speed import rates_of
from tunewright.weights.base import compute_dtype, load_base, threads
from tunewright.weights.lora import attach, go_on, wrap
from tunewright.weights.peft import load_adapter
from tunewright.wording import counted, of

DESCRIBED = 16  # steps whose plans are counted for the log


@dataclass(frozen=True)
class Run:
    method: Method
    recipe: Recipe
    folder: Path
    training: Examples
    validation: Examples | None
    settings: Hyperparameters
    order: Order
    model: PreTrainedModel
    objective: Objective
    planner: Planner
    ranks: Ranks
    optimizer: torch.optim.Optimizer
    room: Room

    @cached_property
    def trained(self) -> dict[str, torch.nn.Parameter]:
        """What the optimizer changes, by name, always in the same order."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def budget(self) -> int:
        """Padded tokens of a micro-batch; 1 where every row must go alone."""
        return self.room.tokens

    def plan(self, samples: Sequence[Sample]) -> list[Piece]:
        """How the rows of one step are computed."""
        return self.planner.plan(samples, self.budget, cached=not self.room.recomputes)

    @cached_property
    def identity(self) -> str:
        """Equal for two runs that must give the same weights, but for the last bits, which depend
        on `environment` too."""
        parts = {
            "settings": asdict(self.settings),
            "adaptation": self.recipe.adaptation,
            "seed": self.recipe.seed,
            "base": base_fingerprint(self.recipe.base),
            "adapter": self.recipe.adapter and base_fingerprint(self.recipe.adapter),
            "data": self.training.digest(),
        }
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def environment(self) -> dict[str, Any]:
        """What the last bits of the weights depend on besides."""
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": self.model.device.type,
            "threads": torch.get_num_threads(),
            "dtype": str(compute_dtype()),
            "attention": way(self.model),
            "budget": self.budget,
            "processes": self.ranks.count,
            "plans": sorted(self.planner.kinds),
            "costs": asdict(self.planner.costs),
        }

    def about(self, step: int, metrics: dict[str, Any]) -> dict[str, Any]:
        """What the manifest of an artefact says of it."""
        return {
            "base": self.recipe.base_name,
            "base_fingerprint": base_fingerprint(self.recipe.base),
            "recipe": self.recipe.model_dump(mode="json"),
            "run": self.identity,
            "dtype": str(compute_dtype()),
            "step": step,
            "metrics": metrics,
        }

    def started(self, resumed_from: int | None) -> Started:
        settings, lora = self.settings, self.recipe.adaptation == "lora"
        rank = {"rank": settings.rank, "alpha": settings.alpha} if lora else {}
        return Started(
            hyperparameters={
                "n_epochs": settings.n_epochs,
                "batch_size": settings.batch_size,
                "learning_rate_multiplier": settings.learning_rate_multiplier,
            },
            adapter={
                "adaptation": self.recipe.adaptation,
                **rank,
                "parameters": sum(p.numel() for p in self.trained.values()),
                "learning_rate": settings.learning_rate,
            },
            total_steps=self.order.total,
            examples=len(self.training),
            supervised_tokens=self.training.supervised_tokens,
            resumed_from=resumed_from,
        )


def prepare(
    method: Method,
    recipe: Recipe,
    folder: Path,
    report: Report,
    ranks: Ranks = ALONE,
) -> Run:
    """Read the files, load the base, resolve every "auto", and check the objective on two rows.

    The model stays in eval mode: no dropout, so what is trained is what will be served.
    """
    torch.manual_seed(recipe.seed)
    if torch.cuda.is_available():  # a CPU is deterministic anyhow
        torch.use_deterministic_algorithms(True, warn_only=True)
        # An aid for finding faults, which writes all memory once more. (The stubs lack it.)
        setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    renderer = Renderer.load(recipe.base, chat=recipe.kind == "chat")
    renderer = renderer.rendered_as(recipe.rendering)
    training = read(recipe.training_file, renderer, recipe.kind)
    file = recipe.validation_file
    validation = read(file, renderer, recipe.kind) if file else None
    _say_what_is_lost(training, renderer.context, report)
    model = _load(recipe)
    torch.set_num_threads(threads(model))
    verdict = examined(model, training.all, recipe, folder, ranks)
    settings = resolve(recipe, _facts(training, model, recipe))
    costs = Costs.of(model)
    seconds = _seconds(costs, training, settings.n_epochs) if len(verdict.kinds) > 1 else 0.0
    rates = rates_of(recipe, folder, ranks, seconds, model.device, report)
    run = Run(
        method=method,
        recipe=recipe,
        folder=folder,
        training=training,
        validation=validation,
        settings=settings,
        order=Order(len(training), settings.batch_size, settings.n_epochs, recipe.seed),
        model=model,
        objective=Objective(model, verdict.way),
        planner=Planner(replace(costs, rates=rates), verdict.kinds),
        ranks=ranks,
        optimizer=_adapt(model, recipe, settings),
        room=Room(1 if verdict.way == "rows" else BUDGETS[model.device.type]),
    )
    _say_what_is_planned(run, verdict, report)
    return run


def _load(recipe: Recipe) -> PreTrainedModel:
    dtype = compute_dtype() if recipe.adaptation == "lora" else torch.float32
    listed = (recipe.base / durable.MANIFEST).is_file()
    return load_base(recipe.base, dtype=dtype, verify=listed)


def _facts(training: Examples, model: PreTrainedModel, recipe: Recipe) -> Facts:
    text = model.config.get_text_config()
    layers = list(wrap(model).values()) if recipe.adaptation == "lora" else []
    return Facts(
        examples=len(training),
        supervised_tokens=training.supervised_tokens,
        family=model.config.model_type,
        hidden_size=text.hidden_size,
        lora_parameters=sum(layer.in_features + layer.out_features for layer in layers),
        largest_rank=min((min(at.in_features, at.out_features) for at in layers), default=1 << 30),
    )


def _seconds(costs: Costs, training: Examples, epochs: int) -> float:
    """What the rows would take one by one."""
    rows = sum(costs.alone(len(sample.ids)) for sample in training.all)
    return epochs * (rows + costs.heads(training.supervised_tokens))


def _adapt(
    model: PreTrainedModel, recipe: Recipe, settings: Hyperparameters
) -> torch.optim.Optimizer:
    if recipe.adapter:
        go_on(model, load_adapter(recipe.adapter, verify=True))
    elif recipe.adaptation == "lora":
        attach(model, settings.rank, settings.alpha, recipe.seed)
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0, fused=True)


def _say_what_is_planned(run: Run, verdict: Verdict, report: Report) -> None:
    if verdict.way == "rows":
        report(Message("warn", "This base needs every row computed alone: training is slower."))
        return
    for reason in verdict.refused:
        report(
            Message("info", f"The rows share prefixes, but {reason}: not all are computed once.")
        )
    order = run.order
    steps = range(min(order.steps_per_epoch, DESCRIBED))
    plans = [run.plan(run.training.samples(order.of(step))) for step in steps]
    summary = Summary.of(plans, run.budget)
    report(Planned(str(summary), **asdict(summary)))


def _say_what_is_lost(training: Examples, context: int, report: Report) -> None:
    if training.cut:
        cut = f"{counted(training.cut, 'example')} {of(training.cut, 'is')}"
        text = f"{cut} longer than the model's context of {context:,} tokens"
        report(Message("warn", f"{text}: the end of the answer is cut off."))
    if training.dropped:
        dropped = f"{counted(training.dropped, 'example')} {of(training.dropped, 'has')}"
        text = f"{dropped} no supervised tokens within {context:,} tokens"
        report(Message("warn", f"{text}: left out of training."))
