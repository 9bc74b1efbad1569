import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, say

MIB = 2**20
_MOST = 16 * MIB  # bytes; a text without spaces takes up to 200 of memory for each
_MOST_OF_A_MODEL = 4 * MIB  # a model's tokenizer takes up to 465 bytes for each
_A_PATH = re.compile(r"(~|\.{0,2})/\S*|\S+\.[A-Za-z][A-Za-z0-9]{0,5}")


def tokens(
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT|FILE|-", help="A text, a file, or - for the standard input."),
    ],
    encoding: Annotated[
        str,
        typer.Option(
            "--encoding",
            "--model",
            metavar="NAME",
            help="An encoding or a model of OpenAI's, or a model of this server.",
        ),
    ] = "cl100k_base",
    as_text: Annotated[
        bool, typer.Option("--text", help="Take it for a text, even if it looks like a path.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Count the tokens of a text.

    A name of OpenAI's, such as gpt-4o, means OpenAI's tokenizer, whichever model answers to that
    name here.

    Example: tunewright tokens 'tiktoken is great!' --encoding cl100k_base
    """
    from tunewright.cli.opening import records

    said = text if as_text else _read(text, encoding)
    with records(home) as tw:
        counted = tw.counting.count([said], encoding)
    if json:
        return print_json(
            {"encoding": encoding, "counted_by": counted.by, "tokens": counted.tokens[0]}
        )
    if counted.by != encoding:
        notes.print(f"{encoding}: counted by {counted.by}", markup=False)
    return say(str(counted.tokens[0]))


def _read(text: str, encoding: str) -> str:
    from tunewright.errors import BadRequest
    from tunewright.vocabularies import PUBLISHED, encoding_of

    published = encoding in PUBLISHED or encoding_of(encoding) is not None
    most = _MOST if published else _MOST_OF_A_MODEL
    if text == "-":
        return _decoded(sys.stdin.buffer.read(most + 1), "The standard input", most)
    path = Path(text)
    if _is_file(path):
        with path.open("rb") as file:
            return _decoded(file.read(most + 1), text, most)
    if _A_PATH.fullmatch(text) and "://" not in text:
        raise BadRequest(f"There is no file {text}. If it is a text, add --text.")
    return text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or a NUL in it: a text
        return False


def _decoded(content: bytes, name: str, most: int) -> str:
    from tunewright.errors import BadRequest

    if len(content) > most:
        raise BadRequest(
            f"{name} is larger than {most // MIB} MiB. For training data: tunewright check FILE"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"{name} is not UTF-8 text: byte {error.start + 1} is wrong. Save it as UTF-8."
        ) from None
