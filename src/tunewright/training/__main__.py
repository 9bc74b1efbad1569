"""``python -m tunewright.training TASK_DIR [--expect] [--watch-stdin]``: one run, apart.

Says what `report` describes, as JSON lines on standard output; everything else that anybody prints
goes to standard error. Exit codes: 0 finished, 1 failed (and said so), 143 stopped by SIGTERM.
With --expect it only says what the run would take. With --follow RANK/COUNT FILE it computes its
part of the gradients for the process that leads, whom it meets by that file (`ranks`).
With --watch-stdin the process ends at once when standard input closes: its parent has died.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

from tunewright.weights import libraries, onednn

# Read by libraries when they are imported, hence before anything else of ours.
# OMP: threads that spin while they wait take the cores from the engine beside them. On two busy
# cores training did 178 tokens a CPU second so, and 1,268 with this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.update({**onednn.CACHES, **os.environ})
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is not deterministic

from tunewright import children
from tunewright.errors import TunewrightError
from tunewright.training import METHODS, Stopped, method
from tunewright.training.recipe import Recipe
from tunewright.training.report import Failed
from tunewright.weights.memory import out_of_memory

STOPPED = 128 + signal.SIGTERM


class Terminated:
    """SIGTERM ends the process at once while it loads, and at the next poll once it polls."""

    def __init__(self) -> None:
        self._asked = False
        self._polled = False
        signal.signal(signal.SIGTERM, self._ask)

    def __call__(self) -> bool:
        self._polled = True
        return self._asked

    def _ask(self, *_: object) -> None:
        self._asked = True
        if not self._polled:
            raise SystemExit(STOPPED)


def failure(error: BaseException) -> Failed:
    """What a client is told; the traceback goes to standard error."""
    if isinstance(error, TunewrightError):
        return Failed(error.code or error.type, error.message)
    if out_of_memory(error):
        return Failed(
            "out_of_memory",
            "There is not enough memory for this base and these examples. Use a smaller base, "
            + "shorter examples or adaptation 'lora'.",
        )
    return Failed("internal_error", f"The training failed ({type(error).__name__}): {error}")


def _follow(recipe: Recipe, folder: Path) -> None:
    from tunewright.training.ranks import Ranks, joined
    from tunewright.training.steps import follow

    at = sys.argv.index("--follow")
    rank, count = map(int, sys.argv[at + 1].split("/"))
    with joined(Ranks(rank, count), Path(sys.argv[at + 2])) as ranks:
        follow(METHODS.load(recipe.method, beside="METHOD"), recipe, folder, ranks)


def main() -> int:
    folder = Path(sys.argv[1])
    report = children.JsonLines.on_standard_output()
    should_stop = Terminated()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: the parent decides
    if "--watch-stdin" in sys.argv[2:]:
        children.end_with_parent(STOPPED)
    try:
        recipe = Recipe.read(folder)
        if recipe.method in METHODS.own:
            libraries.load()
        if "--follow" in sys.argv[2:]:
            _follow(recipe, folder)
            return 0
        run = method(recipe.method, expect="--expect" in sys.argv[2:])
        run(recipe, folder, report, should_stop)
    except Stopped:
        return STOPPED
    except BrokenPipeError:  # nobody listens: as if stopped
        os._exit(STOPPED)
    except Exception as error:
        traceback.print_exc()
        report(failure(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
