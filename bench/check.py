"""Form and cl100k_base counts of a training file, against the procedure of OpenAI's cookbook.

The rival is the cookbook's notebook "Data preparation and analysis for chat model fine-tuning",
written as it stands there: json.loads of all lines into a list, the form in Python, tiktoken one
text at a time. Ours looks at more (duplicate keys, calls, weights, ...). Both get the same
generated chats, no two alike, each in a process of its own, with its vocabulary read before; they
take turns, medians are printed, with the peak memory that a process took beyond its start.

    .venv/bin/python bench/check.py [--rows 200000] [--rounds 5] [--file FILE]

The generated words are few, which suits a count that knows a word again: FILE, chats of your own,
is measured instead. Seconds of the processor tell more than those of the clock on a machine that
others use too.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright import samples
from tunewright.dataset.checks import check
from tunewright.vocabularies import Encoding, open_encoding
from tunewright.vocabularies.finding import find, ranks


def write_rows(path: Path, count: int) -> None:
    """Chats of one to three turns, of words of the samples in random order; some 250 tokens."""
    words = [word for file in (samples.CHATS, samples.REVIEWS) for word in _words(file)]
    draw = random.Random(0)

    def say(role: str, most: int) -> dict[str, str]:
        chosen = draw.choices(words, k=draw.randint(5, most))
        return {"role": role, "content": " ".join(chosen).capitalize() + "."}

    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            messages = [{"role": "system", "content": f"You are assistant {number}."}]
            for _ in range(draw.randint(1, 3)):
                messages += [say("user", 80), say("assistant", 120)]
            file.write(json.dumps({"messages": messages}) + "\n")


def _words(path: Path) -> list[str]:
    return [word for word in path.read_text("utf-8").split() if word.isalpha()]


def ours(path: Path, encoding: Encoding) -> int:
    """`encoding` as this package counts."""
    counted = check(path, None, wants="chat", openai=encoding).openai
    assert counted is not None
    return counted.billable_tokens


def cookbook(path: Path, encoding: Any) -> int:
    """`encoding` of tiktoken."""
    encode = encoding.encode
    with path.open(encoding="utf-8") as file:
        dataset = [json.loads(line) for line in file]
    errors = _form(dataset)
    assert not errors, errors
    n_messages: list[int] = []
    totals: list[int] = []
    answers: list[int] = []
    for example in dataset:
        messages = example["messages"]
        n_messages.append(len(messages))
        totals.append(_tokens_of_messages(messages, encode))
        answers.append(_tokens_of_answers(messages, encode))
    return sum(min(4096, total) for total in totals)


def _ours() -> Encoding:
    encoding = open_encoding("cl100k_base", Path())
    encoding.counts(["warm"])
    return encoding


def _tiktoken() -> Any:
    import tiktoken
    import tiktoken_ext.openai_public

    found = find("cl100k_base", Path())
    assert found is not None
    tiktoken_ext.openai_public.load_tiktoken_bpe = lambda *_, **__: ranks("cl100k_base", found)
    published: Any = tiktoken_ext.openai_public.cl100k_base()
    encoding = tiktoken.Encoding(**published)
    encoding.encode("warm")
    return encoding


def _form(dataset: list) -> dict[str, int]:
    errors: dict[str, int] = defaultdict(int)
    for ex in dataset:
        if not isinstance(ex, dict):
            errors["data_type"] += 1
            continue
        messages = ex.get("messages", None)
        if not messages:
            errors["missing_messages_list"] += 1
            continue
        for message in messages:
            if "role" not in message or "content" not in message:
                errors["message_missing_key"] += 1
            if any(k not in ("role", "content", "name", "function_call") for k in message):
                errors["message_unrecognized_key"] += 1
            if message.get("role", None) not in ("system", "user", "assistant", "function"):
                errors["unrecognized_role"] += 1
            content = message.get("content", None)
            function_call = message.get("function_call", None)
            if (not content and not function_call) or not isinstance(content, str):
                errors["missing_content"] += 1
        if not any(message.get("role", None) == "assistant" for message in messages):
            errors["example_missing_assistant_message"] += 1
    return errors


def _tokens_of_messages(messages: list, encode) -> int:
    total = 0
    for message in messages:
        total += 3
        for key, value in message.items():
            total += len(encode(value))
            if key == "name":
                total += 1
    return total + 3


def _tokens_of_answers(messages: list, encode) -> int:
    return sum(len(encode(m["content"])) for m in messages if m["role"] == "assistant")


CONTENDERS: dict[str, tuple[Callable[[], Any], Callable[[Path, Any], int]]] = {
    "ours": (_ours, ours),
    "cookbook": (_tiktoken, cookbook),
}


def run_one(name: str, path: Path) -> None:
    open_, count = CONTENDERS[name]
    encoding = open_()
    before = _peak()
    start, worked = time.perf_counter(), time.process_time()
    tokens = count(path, encoding)
    seconds, work = time.perf_counter() - start, time.process_time() - worked
    mib = _peak() - before
    print(json.dumps({"seconds": seconds, "work": work, "mib": mib, "tokens": tokens}))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--file", type=Path, help="chats instead of generated ones")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return run_one(given.one[0], Path(given.one[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / "rows.jsonl"
        if not given.file:
            write_rows(path, given.rows)
        print(f"{path.name}, {path.stat().st_size / 1e6:,.0f} MB")
        measured: dict[str, list[dict]] = {name: [] for name in CONTENDERS}
        for _ in range(given.rounds):
            for name, found in measured.items():
                found.append(_measure(name, path))
    return report(measured)


def _measure(name: str, path: Path) -> dict:
    command = [sys.executable, __file__, "--one", name, str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def report(measured: dict[str, list[dict]]) -> None:
    tokens = {found["tokens"] for runs in measured.values() for found in runs}
    assert len(tokens) == 1, f"they do not count the same: {tokens}"
    took: dict[str, dict[str, float]] = {
        name: {what: statistics.median(found[what] for found in runs) for what in runs[0]}
        for name, runs in measured.items()
    }
    for name, found in took.items():
        work, mib = found["work"], found["mib"]
        print(f"{name:10} {found['seconds']:8.2f} s, {work:8.2f} of the processor, {mib:6,.0f} MiB")
    ratios = [took["cookbook"][what] / took["ours"][what] for what in ("seconds", "work")]
    print(
        f"{tokens.pop():,} tokens, the same; {ratios[0]:.2f} x, of the processor {ratios[1]:.2f} x"
    )


if __name__ == "__main__":
    main()
