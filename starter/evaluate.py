"""Judge an exported model: bits per byte of held-out text, what it answers, how it can be tuned.

`--reviews FILE` adds the area under the ROC curve on food reviews (`starter.reviews`), `--clive`
the twenty questions before and after tuning on the sample (`starter.clive`); both need the extra
`bench`. `--write` puts everything into the model card, between its two marks.
"""

import argparse
import math
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

import torch
from starter.corpus import CHATS, DEFAULT, TEXTS, check, documents
from starter.export import OUT
from starter.tokenizer import END_OF_TEXT
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from tunewright.durable import read_json, write_bytes

CARD = Path(__file__).with_name("README.md")
MARKS = ("<!-- figures: python -m starter.evaluate --write -->\n", "<!-- end of figures -->")
NEW_TOKENS = 80
ASKED = (
    (None, "Hello! How are you today?"),
    (None, "I want to book a table for two tonight."),
    (None, "What is the capital of France?"),
    (None, 'What does "tired" mean?'),
    (None, "What movies do you like?"),
    ("You are a math tutor. Work step by step.", "Tom has 3 boxes with 4 apples each. He eats 2. "
     "How many apples are left?"),
    (None, "Make a bullet list of: bread, milk, rice"),
    (None, "Why is the sky blue?"),
)  # fmt: skip


class Judge:
    def __init__(self, directory: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(directory)

    @torch.inference_mode()
    def bits(self, text: str) -> tuple[float, int]:
        """Bits that the model needs for a document's beginning, and its bytes.

        Control tokens cost bits and count no bytes.
        """
        ids = self.tokenizer.encode(text, add_special_tokens=False)[:1024]
        logits = self.model(torch.tensor([ids])).logits[0, :-1]
        loss = F.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum").item()
        said = self.tokenizer.decode(ids[1:], skip_special_tokens=True)
        return loss / math.log(2), len(said.encode())

    def bits_per_byte(self, texts: Iterator[str]) -> float:
        pairs = [self.bits(text) for text in texts]
        return sum(bits for bits, _ in pairs) / sum(size for _, size in pairs)

    def answer(self, system: str | None, asked: str) -> str:
        """The most likely answer, token by token."""
        turns = [{"role": "system", "content": system}] if system else []
        prompt = self.tokenizer.apply_chat_template(
            [*turns, {"role": "user", "content": asked}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        ids = self.model.generate(**prompt, max_new_tokens=NEW_TOKENS, do_sample=False)[0]
        answer = ids[prompt["input_ids"].shape[1] :]
        ended = answer[-1].item() in self.model.generation_config.eos_token_id
        text = self.tokenizer.decode(answer, skip_special_tokens=True)
        return text if ended else f"{text} [cut after {NEW_TOKENS} tokens]"


def figures(judge: Judge, directory: Path, corpus: Path, most: int) -> Iterator[str]:
    about = read_json(directory / "manifest.json")["about"]
    yield f"Parameters: {about['parameters']:,}. Tokens seen: {about['tokens_seen']:,}."
    yield f"\nHeld-out bits per byte (at most {most} documents a family, 1,024 tokens each):\n"
    yield "| family | bits per byte |\n|---|---:|"
    for family in (*TEXTS, *CHATS):
        found = islice(documents(corpus, family, heldout=True), most)
        opening = END_OF_TEXT if family in TEXTS else ""
        value = judge.bits_per_byte(opening + text for _, text in found)
        yield f"| {family} | {value:.3f} |"
    yield "\nMost likely answers, unedited:\n"
    for system, asked in ASKED:
        yield f"- {f'(system: {system}) ' if system else ''}**{asked}**"
        yield "\n".join(f"  > {line}" for line in judge.answer(system, asked).splitlines() or [""])


def of_reviews(base: Path, path: Path, seeds: int) -> Iterator[str]:
    """Mean and standard deviation over the splits of all seeds; the same splits for all judges."""
    from starter.reviews import HYPERPARAMETERS, JUDGES, ROWS, WORDS, area

    asked = [(judge, base, path, seed) for judge in JUDGES for seed in range(seeds)]
    workers = os.cpu_count() or 1  # of one thread each: two threads in one are slower
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        areas = list(pool.map(area, *zip(*asked, strict=True)))
    yield f"\nFood reviews, {ROWS} to learn from, {WORDS} words each, {seeds} splits,"
    yield f"{HYPERPARAMETERS}:\n"
    yield "| judge | area under the ROC curve | deviation | of each split |\n|---|---:|---:|---|"
    for at, judge in enumerate(JUDGES):
        values = areas[at * seeds : (at + 1) * seeds]
        spread = f"{stdev(values):.3f}" if seeds > 1 else ""
        each = ", ".join(f"{value:.3f}" for value in values)
        yield f"| {judge} | {mean(values):.3f} | {spread} | {each} |"


def of_clive(base: Path) -> Iterator[str]:
    from starter.clive import HYPERPARAMETERS, perplexity, references, tuned_on_sample

    with TemporaryDirectory() as folder:
        tuned = tuned_on_sample(base, Path(folder))
        before, after = perplexity(base), perplexity(tuned)
        judges = Judge(base), Judge(tuned)
    change = f"from {before:.1f} to {after:.1f} ({after / before - 1:+.0%})"
    yield f"\nClive, tuned on the sample of chats, {HYPERPARAMETERS}: the perplexity of 20"
    yield f"reference answers goes {change}.\n"
    yield "| question | before | after |\n|---|---|---|"
    for system, asked, _ in references():
        cells = (judge.answer(system["content"], asked["content"]) for judge in judges)
        yield f"| {asked['content']} | {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def write(lines: list[str]) -> None:
    head, rest = CARD.read_text().split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    card = head + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + tail
    write_bytes(CARD, card.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path, default=OUT)
    parser.add_argument("--documents", type=int, default=60, help="of each family, at most")
    parser.add_argument("--reviews", type=Path, help="fine_food_reviews_1k.csv")
    parser.add_argument("--seeds", type=int, default=5, help="splits of the reviews")
    parser.add_argument("--clive", action="store_true", help="tune on the sample, and ask")
    parser.add_argument("--write", action="store_true", help="into the model card")
    args = parser.parse_args()
    check(args.corpus)
    parts = [figures(Judge(args.model), args.model, args.corpus, args.documents)]
    if args.reviews:
        parts.append(of_reviews(args.model, args.reviews, args.seeds))
    if args.clive:
        parts.append(of_clive(args.model))
    lines = []
    for line in chain.from_iterable(parts):
        print(line, flush=True)
        lines.append(line)
    if args.write:
        write(lines)


if __name__ == "__main__":
    main()
