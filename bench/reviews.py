"""Food reviews: a tuned base against TF-IDF with logistic regression, by area under the ROC curve.

The starter's protocol (`starter/reviews.py`): 600 reviews to learn from, the rest to judge, 60
words of each, five splits; 4 stars and more are positive, 2 and less negative. Tuned by our own
trainer: LoRA, every hyperparameter auto but one epoch. A review's score is by how much the
log-probability of "positive" exceeds that of "negative", at the first token in which they differ.

    .venv/bin/python bench/reviews.py --data fine_food_reviews_1k.csv --base DIR --out DIR

--base: a directory with a base, such as ~/.tunewright/bases/smollm2-135m-.... What is in --out
is not computed again, and a split that was cut short (Ctrl-C, SIGTERM) goes on from its last resume
point. Needs the extra `bench` (scikit-learn).
"""

import argparse
import json
import os
import resource
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tunewright.weights import onednn

# As the trainer's own process sets them, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.update({**onednn.CACHES, **os.environ})

import numpy as np
import torch
from machine import described
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[1]))
from starter.reviews import JUDGES, Reviews, _chat

from tunewright.dataset.examples import ChatExample
from tunewright.durable import write_bytes, write_json
from tunewright.rendering import Renderer
from tunewright.training import Stopped
from tunewright.training.recipe import Recipe
from tunewright.training.supervised import train
from tunewright.weights import lora
from tunewright.weights.base import load_base, mixed_precision
from tunewright.weights.peft import load_adapter

SPLITS = range(5)
WORDS = "TF-IDF + logistic regression"


class Asked:
    """Whether SIGTERM or Ctrl-C has come: the trainer then saves and ends."""

    def __init__(self) -> None:
        self.stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._come)

    def _come(self, *_: object) -> None:
        self.stop = True

    def __call__(self) -> bool:
        return self.stop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    asked = Asked()
    for split in SPLITS:
        if asked.stop:
            break
        _split(options.data, options.base, options.out / str(split), split, asked)
    report(options.out)


def _split(data: Path, base: Path, folder: Path, split: int, asked: Asked) -> None:
    """Leaves result.json in `folder`, or a part of the training if that was cut short."""
    if (folder / "result.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    learn, rest = Reviews.read(data).split(split)
    began = _cpu_seconds()
    try:
        _tune(base, learn, folder, split, asked)
    except Stopped:
        _note_seconds(folder, began)
        return
    tuned = _judge(base, rest, folder / "model")
    words = JUDGES[WORDS](base, learn, rest, split)
    _note_seconds(folder, began)
    result = {
        "split": split,
        "judged": len(rest.texts),
        "tuned": float(roc_auc_score(rest.positive, tuned)),
        "words": float(roc_auc_score(rest.positive, words)),
        "cpu_seconds": _seconds(folder),
        "machine": described(),
    }
    write_json(folder / "result.json", result)


def _tune(base: Path, learn: Reviews, folder: Path, split: int, asked: Asked) -> None:
    if (folder / "model").exists():
        return
    chats = [_chat(text, good) for text, good in zip(learn.texts, learn.positive, strict=True)]
    lines = [json.dumps({"messages": chat}) for chat in chats]
    write_bytes(folder / "rows.jsonl", "\n".join(lines).encode())
    recipe = Recipe(
        base=base,
        base_name=base.name,
        kind="chat",
        training_file=folder / "rows.jsonl",
        n_epochs=1,
        seed=split,
    )
    train(recipe, folder, lambda _: None, asked, resume_seconds=60)


@torch.inference_mode()
def _judge(base: Path, rest: Reviews, adapter: Path) -> "np.ndarray[Any, Any]":
    """By how much `positive` is more likely than `negative`, for each text of `rest`."""
    renderer = Renderer.load(base, chat=True)
    model = load_base(base)
    lora.go_on(model, load_adapter(adapter))
    head = model.get_output_embeddings().weight
    margins: list[float] = []
    for text in rest.texts:
        no, yes = (renderer.rows(ChatExample(_chat(text, good)), 1)[-1] for good in (0, 1))
        same = _common(no.answer, yes.answer)
        ids = torch.tensor([[*yes.prompt, *yes.answer[:same]]])
        with mixed_precision(model):
            hidden = model.base_model(input_ids=ids).last_hidden_state[0, -1].float()
        # Logits in bfloat16 would be so coarse that reviews tie.
        margins.append(float(hidden @ (head[yes.answer[same]] - head[no.answer[same]]).float()))
    return np.array(margins)


def _common(one: list[int], other: list[int]) -> int:
    return next(at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _note_seconds(folder: Path, began: float) -> None:
    write_json(folder / "seconds.json", _seconds(folder) + _cpu_seconds() - began)


def _seconds(folder: Path) -> float:
    kept = folder / "seconds.json"
    return json.loads(kept.read_text()) if kept.exists() else 0.0


def report(out: Path) -> None:
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*/result.json"))]
    for each in found:
        print(
            f"split {each['split']}: tuned {each['tuned']:.3f}, {WORDS} {each['words']:.3f}, "
            f"{each['judged']} reviews judged, {each['cpu_seconds']:.0f} CPU s ({each['machine']})"
        )
    for name in ("tuned", "words") if found else ():
        values = [each[name] for each in found]
        print(f"{name}: mean {statistics.fmean(values):.3f}, lowest {min(values):.3f}")
    print(f"{len(found)} of {len(SPLITS)} splits, {time.strftime('%Y-%m-%d')}")


if __name__ == "__main__":
    main()
