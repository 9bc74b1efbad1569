"""Commands that messages tell people to run: complete and quoted, so that a copy of one runs."""

import codecs
import shlex
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = str | Path | float | bool | None

DEFAULT_MODEL, COMPLETION_MODEL = "gpt-3.5-turbo", "babbage-002"


def command(*words: str | Path, **options: Value) -> str:
    """Options that are None or False are left out, and so is the model that is the default.

    >>> command("check", "my chats.jsonl", model="qwen", quality=True)
    "tunewright check 'my chats.jsonl' --model qwen --quality"
    """
    said = ["tunewright", *map(str, words)]
    for name, value in options.items():
        if value is None or value is False or (name, value) == ("model", DEFAULT_MODEL):
            continue
        said.append(f"--{name.replace('_', '-')}")
        if value is not True:
            said.append(str(value))
    return shlex.join(said)


def prepare(file: str | Path, output: str | Path | None = None, **options: Value) -> str:
    """Makes training data of `file`, whatever it is, without the rows that no job could take."""
    return command("data", "prepare", file, **options, output=output or beside(Path(file)))


def beside(path: Path, what: str = "prepared") -> Path:
    """A name that no file has yet: ``faq.jsonl`` for ``faq.csv``, ``chats.prepared.jsonl`` for
    ``chats.jsonl``."""
    stem = path.name.removesuffix(".gz").removesuffix(path.suffix) or path.name
    names = [f"{stem}.{what}.jsonl", *(f"{stem}.{what}-{n}.jsonl" for n in range(2, 100))]
    if path.suffix != ".jsonl":
        names.insert(0, f"{stem}.jsonl")
    found = (path.with_name(name) for name in names)
    return next((name for name in found if not name.exists()), path.with_name(names[0]))


_ENCODINGS = {"Chinese": "GB18030", "a western European language": "CP1252"}
_CHUNK = 2**20  # bytes


def recoded(path: Path) -> str:
    """What to do with a file that is not UTF-8: a command for each of the usual other encodings in
    which it can be read to its end."""
    output = path.with_name(f"{path.stem}.utf8{path.suffix}")
    found = [
        f"if it is in {language}, with: iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > "
        + shlex.quote(str(output))
        for language, encoding in _ENCODINGS.items()
        if _is(path, encoding)
    ]
    return f"Convert the file, {'; '.join(found)}" if found else "Save the file as UTF-8."


def _is(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except ValueError:
        return False
    return True
