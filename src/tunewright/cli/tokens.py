from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.terminal import HomeOption, print_json, say

MIB = 2**20
_MOST = 64 * MIB  # bytes
_MOST_OF_A_MODEL = 4 * MIB  # a model's tokenizer takes up to 465 bytes for each


def tokens(
    text: Annotated[str, typer.Argument(metavar="TEXT|FILE", help="A text, or a file of one.")],
    encoding: Annotated[
        str,
        typer.Option(metavar="NAME", help="One of OpenAI's encodings, or a model here."),
    ] = "cl100k_base",
    home: HomeOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Count the tokens of a text.

    Example: tunewright tokens 'tiktoken is great!' --encoding cl100k_base
    """
    from tunewright.cli.opening import records

    said = _read(text, encoding)
    with records(home) as tw:
        [count] = tw.counting.count([said], encoding)
    if json:
        return print_json({"encoding": encoding, "tokens": count})
    return say(str(count))


def _read(text: str, encoding: str) -> str:
    from tunewright.errors import BadRequest
    from tunewright.vocabularies import PUBLISHED

    path = Path(text)
    try:
        if not path.is_file():
            return text
    except OSError:  # too long a name, so a text
        return text
    most = _MOST if encoding in PUBLISHED else _MOST_OF_A_MODEL
    if path.stat().st_size > most:
        raise BadRequest(
            f"{path} is larger than {most // MIB} MiB. For training data: tunewright check {path}"
        )
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not UTF-8: byte {error.start + 1} is wrong.") from None
