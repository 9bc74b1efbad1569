"""Tries a base in limited children before anything else loads it, and says what it takes.

Jinja's sandbox counts what a template does, and still a tokenizer or weights may take all memory:
so a new base is first read in processes of their own. The first has 10 seconds of processor time
and 4 GiB of address space for tokenizer and template, the second what its weights need.
"""

import importlib.util
import json
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tunewright import children, machine
from tunewright.errors import BadRequest
from tunewright.records.models import ModelKind
from tunewright.rendering import Renderer
from tunewright.rendering.configuration import Configuration

CPU_SECONDS = 10
ADDRESS_SPACE = 4 * 1024**3
TRIAL_SECONDS = 60  # of processor time, and as much again for each GiB of weights
TRIAL_MEMORY = 3 * 1024**3  # bytes of data beside the weights
_EMBEDDINGS = (
    "embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight",
    "tok_embeddings.weight",
)  # fmt: skip
_USER, _ASSISTANT = {"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."}
_CONVERSATIONS = (
    [_USER],
    [_USER, _ASSISTANT, _USER],
    [{"role": "user", "content": "Long. " * 20_000}],
)
_BLIND = (
    "its template shows nothing of what the user says, so the model could not answer it. Take the "
    "template that belongs to the model, or none: it is a completion base then"
)
_MISMATCH = (
    "its tokenizer has ids up to {last:,}, but its embedding has only {rows:,} rows, so a text "
    "with the other ids would make a job fail. Use the tokenizer and the weights of the same "
    "model, or enlarge the embedding (model.resize_token_embeddings) and save it"
)


def probe(directory: Path, kind: ModelKind) -> list[str]:
    """What is worth knowing about the base, a sentence each. Raises BadRequest with the reason
    where its tokenizer, template or weights cannot be used."""
    if kind == "embedding":
        return []
    told = _run([__name__, str(directory), kind], _limit, 4 * CPU_SECONDS, "tokenizer or template")
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return [*found["notes"], *_try_weights(directory, found["tokens"])]


def _try_weights(directory: Path, tokens: int) -> Iterator[str]:
    size = sum(file.stat().st_size for file in directory.glob("*.safetensors"))
    if importlib.util.find_spec("torch") is None:
        yield "Its weights were not tried: that needs the extra 'train'."
    elif machine.available_memory() < 2 * size + TRIAL_MEMORY // 3:
        yield f"Its weights were not tried: with {size / 2**30:.1f} GiB they exceed free memory."
    else:
        seconds = TRIAL_SECONDS * (1 + size // 2**30)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            data = TRIAL_MEMORY + 3 * size
            resource.setrlimit(resource.RLIMIT_DATA, (data, data))

        _run(
            ["tunewright.weights.trial", str(directory), str(tokens)],
            limit,
            10 * seconds,
            "weights",
        )


def _run(module: list[str], limit: Callable[[], None], seconds: int, what: str) -> str:
    """What a limited child prints. Raises BadRequest with the last line of its complaint."""
    source = Path(module[1])
    quiet = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    quiet |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    try:
        done = children.tried(["-m", *module], seconds, limit=limit, environment=quiet)
    except children.OutOfTime:
        raise BadRequest(
            f"The {what} of {source} cannot be used: trying them took too long.", param="source"
        ) from None
    if done.returncode != 0:
        complaint = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        ended = "it was stopped for using too much time or memory"
        reason = complaint[0] if complaint and done.returncode > 0 else ended
        raise BadRequest(f"The {what} of {source} cannot be used: {reason}", param="source")
    return done.stdout.decode()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def _try(directory: Path, kind: str) -> dict[str, Any]:
    renderer = Renderer.load(directory, chat=kind == "chat")
    tokens, rows = renderer.tokens, _rows(directory)
    if rows is not None and tokens > rows:
        raise BadRequest(_MISMATCH.format(last=tokens - 1, rows=rows))
    if kind == "chat":
        for conversation in _CONVERSATIONS:
            renderer.prompt(conversation)
        if renderer.prompt(_CONVERSATIONS[0]) == renderer.prompt([{**_USER, "content": "Two?"}]):
            raise BadRequest(_BLIND)
        return {"tokens": tokens, "notes": list(_notes(renderer))}
    renderer.completion_prompt("One, two,")
    return {"tokens": tokens, "notes": []}


def _notes(renderer: Renderer) -> Iterator[str]:
    traits = renderer.traits
    if not traits.takes_system:
        yield "Its template takes no system message: it is put before the user's text."
    elif not traits.takes_later_system:
        yield (
            "Its template takes a system message at the beginning only: later ones are put before "
            "the user's text."
        )
    if not traits.takes_opening_assistant:
        yield (
            "Its template needs a user message first: where the assistant begins, an empty user "
            "message is put before it."
        )
    if isinstance(renderer.tool_use, str):
        yield renderer.tool_use.partition(":")[0] + ": requests and rows with tools are refused."
    if traits.switch and traits.shows_reasoning:
        yield (
            f"It can reason: chat_template_kwargs ({traits.switch}: true) turns that on in a chat, "
            "and rows that contain reasoning turn it on in a job."
        )


def _rows(directory: Path) -> int | None:
    """Of the embedding: how many tokens the weights know. None where no tensor is known as it."""
    found = [Configuration.read(directory).model.get("vocab_size")]
    for file in directory.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            names = [name for name in tensors.keys() if name.endswith(_EMBEDDINGS)]  # noqa: SIM118
            found += [tensors.get_slice(name).get_shape()[0] for name in names]
    return min((rows for rows in found if isinstance(rows, int)), default=None)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(_try(Path(sys.argv[1]), sys.argv[2])) + "\n")
    except BadRequest as error:
        sys.exit(" ".join(error.message.split()))
