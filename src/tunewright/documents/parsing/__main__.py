"""``python -m tunewright.documents.parsing KIND FILE NAME``: see the package."""

import os
import resource
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, TypeAlias

import orjson

from tunewright import children
from tunewright.documents.document import Document, Draft
from tunewright.documents.limits import CPU_SECONDS, MEMORY, OUTPUT
from tunewright.errors import UnreadableDocument

_STATUS = Path("/proc/self/status")
Parser: TypeAlias = Callable[[Path, str, Draft], None]


def main(kind: str, file: str, name: str) -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a parser that prints would break the line
    children.end_with_parent()
    _limit()
    try:
        document = _document(kind, Path(file), name)
    except UnreadableDocument as refused:
        _say(out, {"message": refused.message, "code": refused.code})
    else:
        _say(out, {"marks": list(map(list, document.marks))}, document.text)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _document(kind: str, file: Path, name: str) -> Document:
    parser = _parser(kind)
    draft = Draft(kind, name)
    try:
        parser(file, name, draft)
    except UnreadableDocument:
        raise
    except RecursionError:
        raise UnreadableDocument(f"{name} is nested too deeply to be read.") from None
    except Exception as error:  # a parser on somebody's file: whatever it raises
        if isinstance(error, MemoryError) or _is_full():
            raise _too_large(name) from None
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UnreadableDocument(
            f"{name} cannot be read as {kind} ({reason}). It may be damaged: open it in the "
            "program that made it, save it again and upload that."
        ) from error
    return draft.document()


def _is_full() -> bool:
    """Parsers in C say all kinds of things when memory runs out. The system's `ru_maxrss` would
    count what the parent had."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if allowed == resource.RLIM_INFINITY:
        return False
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return False
    most = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
    return most > 0.8 * allowed


def _too_large(name: str) -> UnreadableDocument:
    return UnreadableDocument(
        f"{name} needs more than {MEMORY // 2**20:,} MiB of memory to be read. Split it and upload "
        "the parts."
    )


def _parser(kind: str) -> Parser:
    try:
        return import_module(f"tunewright.documents.parsing.{kind.lower()}").read
    except ImportError as error:
        raise UnreadableDocument(
            f"{kind} files cannot be read on this server: {error}. Its operator can mend that: "
            "pip install --upgrade --force-reinstall tunewright",
            code="server_error",
        ) from error


def _say(out: BinaryIO, line: dict[str, object], text: str = "") -> None:
    out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) + text.encode())
    out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
