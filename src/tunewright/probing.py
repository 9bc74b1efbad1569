"""Tries a base in limited children before anything else loads it, and says what it takes.

Jinja's sandbox counts what a template does, and still a tokenizer or weights may take all memory:
so a new base is first read in processes of their own. The first has 10 seconds of processor time
and 4 GiB of address space for tokenizer and template, the second what its weights need.
"""

import importlib.util
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
MOST_THREADS = 16  # of the process that tries weights: each takes some of that memory
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


@dataclass(frozen=True)
class Measured:
    """Of a short answer. tokens_per_second: None where the context has no room for one.
    shares: why rows do not share prefixes and batches; None: they do."""

    tokens_per_second: float | None
    peak_bytes: int
    dtype: str
    threads: int
    shares: str | None


@dataclass(frozen=True)
class Examined:
    """notes: what is worth knowing of the base, a sentence each. no_tools: why tools cannot be
    used with it. measured: None where its weights were not tried, or nothing was to be measured.
    embedder: what an embedding model declares (`embedding.embedder.Declared`)."""

    notes: list[str]
    no_tools: str | None = None
    measured: Measured | None = None
    embedder: dict[str, Any] | None = None


def probe(directory: Path, kind: ModelKind) -> list[str]:
    """What is worth knowing about the base, a sentence each. Raises BadRequest with the reason
    where its tokenizer, template or weights cannot be used."""
    return examine(directory, kind, measure=False).notes


def examine(
    directory: Path,
    kind: ModelKind,
    *,
    measure: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Examined:
    """What the base can do. measure: a short answer too, in the process that tries its weights.
    environment: what that process is told. Raises as `probe` does."""
    if kind == "embedding":
        return Examined([], embedder=_try_embedder(directory, environment or {}))
    limits = {"OMP_NUM_THREADS": "1"}
    what = "tokenizer or template"
    command = [__name__, str(directory), kind]
    told = _run(directory, command, _limit, 4 * CPU_SECONDS, what, limits)
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    if reason := _untried(directory):
        return Examined([*found["notes"], reason], found["no_tools"])
    more = {"OMP_NUM_THREADS": str(_threads() if measure else 1), **(environment or {})}
    said = _try_weights(directory, found["tokens"], measure, more)
    measured = Measured(**json.loads(said.splitlines()[-1])) if measure else None
    return Examined(found["notes"], found["no_tools"], measured)


def _untried(directory: Path) -> str | None:
    size = _size(directory)
    if importlib.util.find_spec("torch") is None:
        return "Its weights were not tried: that needs the extra 'train'."
    if machine.available_memory() < 2 * size + TRIAL_MEMORY // 3:
        return f"Its weights were not tried: with {size / 2**30:.1f} GiB they exceed free memory."
    return None


def _try_weights(
    directory: Path, tokens: int, measure: bool, environment: Mapping[str, str]
) -> str:
    module = "tunewright.generation.measuring" if measure else "tunewright.weights.trial"
    command = ["tunewright.weights.libraries", module, str(directory), str(tokens)]
    return _trial(directory, command, _size(directory), "weights", environment)


def _try_embedder(directory: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    command = ["tunewright.embedding.trial", str(directory)]
    limits = {"OMP_NUM_THREADS": "1", **environment}
    said = _trial(directory, command, _whole_size(directory), "embedding model", limits)
    return json.loads(said.splitlines()[-1])


def converted(directory: Path, graph: str) -> dict[str, Any]:
    """What `converting.comparing` finds of an embedding model, and the graph written where it is
    not there. Raises as `probe` does."""
    command = ["tunewright.converting", str(directory), graph]
    size = 4 * _whole_size(directory)  # in float32, as a graph, and as its bytes
    limits = {"OMP_NUM_THREADS": str(_threads())}
    said = _trial(directory, command, size, "embedding model", limits)
    return json.loads(said.splitlines()[-1])


def quantized(directory: Path, graph: str, fast: str) -> dict[str, Any]:
    """What `quantizing.making` measures of an embedding model whose exact graph is `graph`, and
    its form in int8 written to `fast`. Raises as `probe` does."""
    command = ["tunewright.quantizing", str(directory), graph, fast]
    size = 4 * _whole_size(directory)  # the graph twice, and its bytes
    limits = {"OMP_NUM_THREADS": str(_threads())}
    said = _trial(directory, command, size, "fast form", limits)
    return json.loads(said.splitlines()[-1])


def _whole_size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def _trial(
    directory: Path, command: list[str], size: int, what: str, environment: Mapping[str, str]
) -> str:
    """What a child prints that has room for `size` bytes of weights. Raises as `_run` does."""
    seconds = TRIAL_SECONDS * (1 + size // 2**30) * int(environment["OMP_NUM_THREADS"])

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        data = TRIAL_MEMORY + 3 * size
        resource.setrlimit(resource.RLIMIT_DATA, (data, data))

    return _run(directory, command, limit, 10 * seconds, what, environment)


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.glob("*.safetensors"))


def _threads() -> int:
    """As many as serving takes, or as whoever started this process has asked for."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return (
        int(given) if given.isdecimal() and given != "0" else min(MOST_THREADS, os.cpu_count() or 1)
    )


def _run(
    source: Path,
    module: list[str],
    limit: Callable[[], None],
    seconds: int,
    what: str,
    environment: Mapping[str, str],
) -> str:
    """What a limited child prints. Raises BadRequest with the last line of its complaint."""
    quiet = {"CUDA_VISIBLE_DEVICES": "", **environment}
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
        no_tools = renderer.tool_use if isinstance(renderer.tool_use, str) else None
        return {"tokens": tokens, "notes": list(_notes(renderer)), "no_tools": no_tools}
    renderer.completion_prompt("One, two,")
    return {"tokens": tokens, "notes": [], "no_tools": "It has no chat template."}


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
