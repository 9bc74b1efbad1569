"""Tries a base's tokenizer and chat template in a limited child, before anything else loads them.

Jinja's sandbox stops a template from running code, not from using up the machine: two nested
loops never end, a doubled string eats all memory. So the first rendering happens in a process
with 10 seconds of CPU and 4 GiB of address space.
"""

import resource
import subprocess
import sys
from pathlib import Path

from tunewright.errors import BadRequest
from tunewright.records.models import ModelKind
from tunewright.rendering import Renderer

CPU_SECONDS = 10
ADDRESS_SPACE = 4 * 1024**3
_CONVERSATIONS = (
    [{"role": "user", "content": "One?"}],
    [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three?"},
    ],
)


def probe(directory: Path, kind: ModelKind) -> None:
    """Raises BadRequest with the reason when the tokenizer or the template cannot be used."""
    if kind == "embedding":
        return
    command = [sys.executable, "-m", "tunewright.probing", str(directory), kind]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=4 * CPU_SECONDS, preexec_fn=_limit
        )
    except subprocess.TimeoutExpired:
        raise BadRequest(f"The template of {directory} does not come to an end.") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it was stopped for using too much"]
        raise BadRequest(f"The tokenizer or template of {directory} cannot be used: {last[0]}")


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def _try(directory: Path, kind: str) -> None:
    renderer = Renderer.load(directory, chat=kind == "chat")
    if kind == "chat":
        for conversation in _CONVERSATIONS:
            renderer.prompt(conversation)
        _ = renderer.tool_use  # renders tools and calls
    else:
        renderer.completion_prompt("One, two,")


if __name__ == "__main__":
    _try(Path(sys.argv[1]), sys.argv[2])
