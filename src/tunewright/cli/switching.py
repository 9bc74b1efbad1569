"""A model of this home in the place of an old one: the comparison, and the switch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.sources import OPENAI, FromOption, archive_of
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    complain,
    notes,
    print_json,
    print_table,
    say,
)
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.imports import Comparison

OldName = Annotated[
    str, typer.Argument(metavar="OLD-MODEL", help="The name of the tuned model at the source.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", help="The model here. Not given: the one that `replay` made of its job."
    ),
]
_SHOWN = 5  # prompts, those with the greatest distance
_WIDTH = 48  # characters of an answer


def compare(
    old: OldName,
    model: ModelOption = None,
    base_url: FromOption = OPENAI,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a model here with the recorded answers of an old one.

    It is asked what `answers` asked the old one. The exit status is 1 if it is worse.

    Example: tunewright import openai compare ft:gpt-4o-mini-2024-07-18:acme:support:9xYz
    """
    from tunewright.cli.opening import running
    from tunewright.imports import compare as hold

    archive = archive_of(base_url, home)
    with running(home) as tw, notes.status("Asking") as status:
        count = 0

        def each() -> None:
            nonlocal count
            count += 1
            status.update(f"Asking: {counted(count, 'answer')}")

        made = hold(tw, archive, old, model, each=each)
    print_json(made.wire()) if json else _print(made)
    raise typer.Exit(1 if made.worse else 0)


def switch(
    old: OldName,
    model: ModelOption = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo the last switch of this name.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Switch even if the comparison is missing or the model worse."),
    ] = False,
    base_url: FromOption = OPENAI,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let a model here answer to the old model's name. --undo takes it back.

    The comparison is shown first. A running server uses the name from the next request on.

    Example: tunewright import openai switch ft:gpt-4o-mini-2024-07-18:acme:support:9xYz
    """
    if undo:
        return _undo(old, home, json)
    return _switch(old, model, archive_url=base_url, home=home, yes=yes, json=json)


def _switch(
    old: str, model: str | None, *, archive_url: str, home: Path | None, yes: bool, json: bool
) -> None:
    from tunewright.cli.opening import records
    from tunewright.imports import candidate
    from tunewright.imports import switch as change

    archive = archive_of(archive_url, home)
    with records(home) as tw:
        chosen = candidate(tw, archive, old, model)
        if chosen.comparison is not None and not json:
            _print(chosen.comparison)
        made = change(tw, chosen, yes=yes)
    if json:
        return print_json(made.wire())
    say(f"{made.target} now answers to the name {old}.")
    return say(f"To undo it: {archive.command('switch', old, '--undo')}")


def _undo(old: str, home: Path | None, json: bool) -> None:
    from tunewright.cli.opening import records

    with records(home) as tw:
        now = tw.models.switching.undo(old)
    if json:
        return print_json({"name": old, "target": now})
    return say(
        f"{now} answers to the name {old} again." if now else f"No model answers to {old} any more."
    )


def _print(made: "Comparison") -> None:
    from tunewright.imports import summary

    found = summary(made.rows)
    say(f"{made.model}")
    say(f"  against {found['prompts']} recorded answers of {made.old}")
    print_table(
        ["", ">old model", ">this model", f">{made.base}"],
        [
            ("same answer", "", f"{found['same']} of {found['prompts']}", ""),
            ("distance to the old answers", "", _number(found["distance"]), ""),
            (
                "log-probability of the old answers, per byte",
                _number(found["own_logprob"]),
                _number(found["logprob"]),
                _number(found["base_logprob"]),
            ),
            (
                f"distance to the {found['references']} references",
                _number(found["old_to_reference"]),
                _number(found["to_reference"]),
                "",
            ),
        ],
    )
    farthest = [row for row in made.rows if row.answer is not None and not row.same]
    farthest.sort(key=lambda row: -(row.distance or 0))
    if farthest:
        say("The most different answers:")
        print_table(
            ["prompt", ">distance", "old answer", "this model's"],
            [
                (
                    row.prompt + (" (seen)" if row.seen else ""),
                    _number(row.distance),
                    _short(row.old_answer),
                    _short(row.answer or ""),
                )
                for row in farthest[:_SHOWN]
            ],
        )
    for message in dict.fromkeys(row.message for row in made.rows if row.message):
        complain(f"not compared: {message}")
    for reason in made.worse:
        complain(f"worse: {reason}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
