"""The README.md of an export, a model card as the hub reads them: what the model is, how it was
made, and the proof that the files are it."""

import datetime
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tunewright import __version__, builtin, durable
from tunewright.app import Acting
from tunewright.errors import Corrupt
from tunewright.records.exports import Export, Parity, Target
from tunewright.records.files import File
from tunewright.records.jobs import Event, Job
from tunewright.records.models import Weights
from tunewright.resources.models import Models

_LICENCE = re.compile(r"\A---\n(?:.*\n)*?license:[ \t]*([\w.+-]+)[ \t]*\n", re.MULTILINE)
_METRICS = {
    "train_loss": "training loss",
    "train_mean_token_accuracy": "training accuracy of tokens",
    "full_valid_loss": "validation loss",
    "full_valid_mean_token_accuracy": "validation accuracy of tokens",
}


def card(acting: Acting, export: Export, weights: Weights, parity: Parity) -> str:
    job = acting.shelf.get(Job, weights.job) if weights.job else None
    base = base_of(acting.models, weights)
    licence = licence_of(weights.base, base)
    parts = [
        *_front(export, weights, licence),
        *_opening(export, weights, base),
        *(_training(acting, job, weights) if job else ()),
        *_proof(parity),
        *_use(export, weights),
        *_licence(weights, licence),
    ]
    return "\n".join(parts) + "\n"


def base_of(models: Models, weights: Weights) -> Path:
    """The directory of the untuned base."""
    untuned = weights.model_copy(update={"directory": None, "adaptation": "none"})
    return models.directory(untuned)


def licence_of(name: str, base: Path) -> str | None:
    """As an SPDX name, where the catalogue said it when the base was added, or the base's own
    README does; None where nothing here does."""
    if builtin.remark(name):
        return "apache-2.0"  # trained by the Tunewright project
    if known := _about(base).get("licence"):
        return str(known).lower()
    readme = base / "README.md"
    found = readme.is_file() and _LICENCE.match(readme.read_text("utf-8", errors="replace"))
    return found[1] if found else None


def _about(base: Path) -> dict[str, Any]:
    try:
        return durable.manifest(base)["about"]
    except Corrupt:
        return {}


def _front(export: Export, weights: Weights, licence: str | None) -> Iterator[str]:
    yield "---"
    yield f"base_model: {json.dumps(weights.base)}"
    library = {"peft": "peft", "merged": "transformers"}.get(export.to, "gguf")
    yield f"library_name: {library}"
    if licence:
        yield f"license: {licence}"
    yield "tags:\n- tunewright" + ("\n- lora" if weights.adaptation == "lora" else "")
    yield "---\n"


def _opening(export: Export, weights: Weights, base: Path) -> Iterator[str]:
    yield f"# {export.model}\n"
    today = datetime.datetime.now(datetime.UTC).date()
    only = export.to == "peft" or export.adapter
    what = "The LoRA adapter of" if only else "The weights of"
    written = f" in {export.dtype}" if export.dtype else ""
    if weights.adaptation == "none":
        yield f"The weights of the base `{weights.base}`{written}, written by"
    else:
        yield f"{what} a model that was tuned from `{weights.base}`{written}, written by"
    yield f"Tunewright {__version__} on {today}."
    about = _about(base)
    source = f" ({_source(str(about['source']))})" if about.get("source") else ""
    yield f"The base{source} is the one with the fingerprint `{weights.base_fingerprint}`.\n"


def _training(acting: Acting, job: Job, weights: Weights) -> Iterator[str]:
    yield "## Training\n"
    yield from ("| | |", "|---|---|")
    rows = [*_data(acting, job), *_method(job, weights), *_metrics(acting, job, weights)]
    yield from (f"| {name} | {_cell(value)} |" for name, value in rows)
    yield ""


def _data(acting: Acting, job: Job) -> Iterator[tuple[str, object]]:
    files = {"training file": job.training_file, "validation file": job.validation_file}
    for name, id in files.items():
        file = acting.shelf.get(File, id) if id else None
        if file:
            yield name, f"{file.filename}, {file.bytes:,} bytes"
        elif id:
            yield name, "deleted since"


def _method(job: Job, weights: Weights) -> Iterator[tuple[str, object]]:
    used = job.method.hyperparameters
    how = "LoRA" if used.adaptation == "lora" else "all weights"
    yield "method", f"{job.method.type} fine-tuning, {how}"
    names = ["n_epochs", "batch_size", "learning_rate_multiplier"]
    names += ["rank"] if used.adaptation == "lora" else []
    for name in names:
        yield name, getattr(used, name)
    yield "seed", job.seed
    if weights.step is not None:
        yield "checkpoint", f"after step {weights.step}"
    elif job.trained_tokens:
        yield "trained tokens", f"{job.trained_tokens:,}"
    if job.metadata:
        yield from job.metadata.items()


def _metrics(acting: Acting, job: Job, weights: Weights) -> Iterator[tuple[str, object]]:
    """Of the last step that has them."""
    steps = [e.data for e in acting.shelf.all(Event, subject=job.id) if e.type == "metrics"]
    steps = [s for s in steps if weights.step is None or s["step"] <= weights.step]
    steps.sort(key=lambda step: step["step"])
    for key, name in _METRICS.items():
        for step in reversed(steps):
            if step.get(key) is not None:
                yield name, f"{step[key]:.4f} (step {step['step']})"
                break


def _proof(parity: Parity) -> Iterator[str]:
    yield "## Checked\n"
    yield (
        f"These files were read back and compared with the model that Tunewright serves, on "
        f"{parity.rows} rows: no log-probability of a token differs by more than "
        f"{parity.difference:.2g} (allowed: {parity.tolerance:.2g}; rounding the base in the same "
        f"way moves one by up to {parity.noise:.2g}), root mean square {parity.spread:.2g}."
    )
    if parity.kept is not None:
        yield f"They show {parity.kept:.1%} of what tuning changed."
    yield ""


def _use(export: Export, weights: Weights) -> Iterator[str]:
    yield "## Use\n"
    yield from _HOW[export.to](export, weights)
    if weights.rendering and weights.rendering.kwargs:
        said = json.dumps(dict(weights.rendering.kwargs), ensure_ascii=False)
        yield f"It was trained with these variables of the chat template: `{said}`.\n"


def _in_transformers(export: Export, weights: Weights) -> Iterator[str]:
    yield "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer"
    if export.to == "peft":
        yield "from peft import PeftModel\n"
        yield "# the base, or the folder that `tunewright export BASE --to merged` writes of it"
        yield f'base = AutoModelForCausalLM.from_pretrained("{_plain(weights.base)}")'
        yield 'model = PeftModel.from_pretrained(base, "this/folder")'
    else:
        yield '\nmodel = AutoModelForCausalLM.from_pretrained("this/folder")'
    yield 'tokenizer = AutoTokenizer.from_pretrained("this/folder")\n```\n'


def _in_llama_cpp(export: Export, weights: Weights) -> Iterator[str]:
    if export.adapter:
        yield "```\n# BASE.gguf: `tunewright export BASE --to gguf`"
        yield "llama-cli -m BASE.gguf --lora adapter.gguf\n```\n"
    else:
        yield "```\nllama-cli -m model.gguf\n```\n"


def _in_ollama(export: Export, weights: Weights) -> Iterator[str]:
    yield "```\nollama create my-model -f Modelfile\nollama run my-model\n```\n"


_HOW: dict[Target, Callable[[Export, Weights], Iterator[str]]] = {
    "peft": _in_transformers,
    "merged": _in_transformers,
    "gguf": _in_llama_cpp,
    "ollama": _in_ollama,
}


def _licence(weights: Weights, licence: str | None) -> Iterator[str]:
    yield "## Licence\n"
    if licence:
        yield f"The base `{weights.base}` is under `{licence}`, and so is what derives from it."
    else:
        yield (
            f"The files of the base `{weights.base}` name no licence. Look it up where the base "
            "comes from: what derives from it is under the same."
        )


def _source(text: str) -> str:
    """Of a file of this machine its name alone: a card is made to be shown to others."""
    return _plain(Path(text).name if text.startswith(("/", "~", ".")) else text)


def _cell(value: object) -> str:
    return _plain(str(value))


def _plain(text: str) -> str:
    """What others wrote, in one cell of one line."""
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())
