"""``python -m tunewright.exporting``: one export, apart. Exit codes: 0 compared, 1 failed (and said
so), 143 when its parent has ended or ended it."""

import os
import signal
import sys
import traceback

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from tunewright import children
from tunewright.durable import named_full_disk
from tunewright.errors import TunewrightError
from tunewright.exporting.recipe import Recipe
from tunewright.exporting.report import Failed
from tunewright.weights import libraries
from tunewright.weights.memory import out_of_memory

STOPPED = 128 + signal.SIGTERM


def _recipe() -> Recipe:
    """The first line of standard input; whatever follows is the parent's end."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            os._exit(STOPPED)
        line += piece
    return Recipe.model_validate_json(bytes(line))


def failure(error: BaseException) -> Failed:
    if isinstance(error, TunewrightError):
        return Failed(error.code or error.type, error.message)
    if out_of_memory(error):
        return Failed(
            "out_of_memory",
            "There is not enough memory to export this model while others are in use. Try again "
            + "when no job runs, or give the server more memory.",
        )
    return Failed("internal_error", f"The export failed ({type(error).__name__}): {error}")


def main() -> int:
    report = children.JsonLines.on_standard_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: the parent decides
    recipe = _recipe()
    children.end_with_parent(STOPPED)
    try:
        libraries.load()
        from tunewright.exporting.run import run

        with named_full_disk(recipe.directory):
            run(recipe, report)
    except BrokenPipeError:  # nobody listens: as if stopped
        os._exit(STOPPED)
    except Exception as error:
        traceback.print_exc()
        report(failure(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
