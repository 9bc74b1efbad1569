import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.cli.plain import plain
from tunewright.cli.terminal import HomeOption, notes

if TYPE_CHECKING:
    from tunewright.app import Tunewright


def chat(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A chat model: a base or a tuned model.")
    ] = "gpt-3.5-turbo",
    message: Annotated[
        str | None,
        typer.Argument(metavar="MESSAGE", help="One question. Not given: a conversation begins."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="How random answers are. 0: always the likeliest token.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The longest answer, in tokens.")] = None,
    home: HomeOption = None,
) -> None:
    """Chat with a model. With a MESSAGE it answers once.

    Example: tunewright chat gpt-3.5-turbo 'What is the capital of Italy?' --temperature 0
    """
    from tunewright.cli.opening import running

    options = {"model": model, "temperature": temperature, "max_tokens": max_tokens}
    given = {name: value for name, value in options.items() if value is not None}
    messages = [{"role": "system", "content": system}] if system else []
    with running(home) as tw:
        if message is not None:
            _answer(tw, given, [*messages, {"role": "user", "content": message}])
            return
        tw.models.weights(model, ("chat",))  # a wrong name is said before anything is typed
        notes.print("An empty line or Ctrl-D ends the conversation.")
        for question in _questions():
            messages.append({"role": "user", "content": question})
            answer = _answer(tw, given, messages)
            messages.append({"role": "assistant", "content": answer})


def _answer(tw: "Tunewright", given: dict[str, Any], messages: list[dict[str, str]]) -> str:
    pieces: list[str] = []
    for chunk in tw.chat.stream(**given, messages=messages):
        for choice in chunk["choices"]:
            piece = choice["delta"].get("content") or ""
            pieces.append(piece)
            sys.stdout.write(plain(piece) if sys.stdout.isatty() else piece)
            sys.stdout.flush()
    sys.stdout.write("\n")
    return "".join(pieces)


def _questions() -> Iterator[str]:
    """What is typed, until an empty line or the end."""
    while True:
        notes.print("you> ", end="", style="bold")
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line
