"""Compiles a grammar in a limited child, to learn whether it may be compiled at all.

`multipleOf` of a large number takes minutes and gigabytes, and llguidance's own limits do not count
it. A computation that cannot be interrupted is tried where it can be ended.
"""

import json
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunewright import children

SECONDS = 1.5  # of CPU
MEMORY = 1 << 30
LARGEST = 1_000_000  # of a `multipleOf`: some beyond it compile in time, most do not
_WALL_SECONDS = 60.0
_LONG = 16 * 1024  # such a grammar is tried too


def risky(grammar: str) -> bool:
    """Whether it must be tried. Other keywords are worked out token by token, within a budget."""
    return len(grammar) > _LONG or "multipleOf" in grammar


def takes(grammar: str, tokenizer: Path, vocabulary: int) -> int | None:
    """Bytes of memory, where it compiles within SECONDS and MEMORY, or fails to compile in that
    time; else None."""
    command = ["-m", "tunewright.generation.trial", str(tokenizer), str(vocabulary)]
    try:
        done = children.tried(command, _WALL_SECONDS, given=grammar.encode())
    except children.OutOfTime:
        return None
    return int(done.stdout) if done.returncode == 0 else None


def culprit(grammar: str) -> tuple[float, str]:
    """The largest `multipleOf` and where it stands, for the message; the whole without one."""
    value, found = max(_multiples(grammar), default=(0.0, ""))
    return value, f"'{found}'" if found else "it"


def _multiples(grammar: str) -> Iterator[tuple[float, str]]:
    for part in grammar.split("%json ")[1:]:
        try:
            schema, _ = json.JSONDecoder().raw_decode(part)
        except ValueError:  # these letters inside a string
            continue
        yield from _walk(schema, "")


def _walk(value: Any, path: str) -> Iterator[tuple[float, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        here = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip(".")
        if key == "multipleOf" and isinstance(inner, int | float):
            yield float(inner), here
        elif isinstance(inner, dict | list):
            yield from _walk(inner, here)


def _try() -> None:
    import llguidance

    tokenizer = llguidance.LLTokenizer(
        Path(sys.argv[1]).read_text("utf-8"), n_vocab=int(sys.argv[2])
    )
    grammar = sys.stdin.read()
    used = _memory(0)
    before = _memory(1)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the process
    matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
    if not matcher.is_error():
        matcher.compute_bitmask()
    sys.stdout.write(str(max(0, _memory(1) - before)))


def _memory(field: int) -> int:
    """Bytes of address space (0) or of resident memory (1)."""
    return int(Path("/proc/self/statm").read_text().split()[field]) * resource.getpagesize()


if __name__ == "__main__":
    _try()
