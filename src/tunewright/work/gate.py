"""The parity gate at the end of a job, asked of the engine that will serve the model.

The rows of base and tuned model are asked for at once: they share batches, as in serving.
"""

import contextlib
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

from tunewright import durable
from tunewright.errors import TunewrightError, Unavailable
from tunewright.generation.generator import ModelSpec, Scores
from tunewright.records.models import Weights
from tunewright.work import parity
from tunewright.work.on_job import OnJob

ENGINE_RETRY_SECONDS = 2.0
SAID_SECONDS = 5.0  # between two words on how far it is
_START_SECONDS = 120.0
_Place: TypeAlias = tuple[int, int]  # which model, which row


def wake_engine(assignment: OnJob) -> None:
    """Let the engine's process start while the trainer does its last work. Its base comes later:
    the trainer may need the memory."""

    def ping() -> None:
        with contextlib.suppress(TunewrightError):  # whoever asks it next will say
            assignment.tw.engine.ping(_START_SECONDS)

    threading.Thread(target=ping, name="wake-engine", daemon=True).start()


def check(assignment: OnJob, weights: Weights) -> parity.Verdict:
    """Compare what training computed with what the serving engine computes for the same rows."""
    rows = durable.read_json(assignment.folder / "parity.json")["rows"]
    models = assignment.acting.models
    start = assignment.start
    if start.adaptation == "none":
        start = start.model_copy(update={"id": start.base})
    specs = [models.spec(start), models.spec(weights)]
    base, tuned = _Scoring(assignment, specs, rows).run()
    return parity.compare(rows, base, tuned)


class _Scoring:
    """The engine's figures for `rows` of each of `specs`."""

    def __init__(
        self, assignment: OnJob, specs: list[ModelSpec], rows: list[dict[str, Any]]
    ) -> None:
        self._assignment = assignment
        self._specs = specs
        self._pairs = [(row["prompt"], row["answer"]) for row in rows]
        self._found: dict[_Place, Scores] = {}
        self._said = 0.0

    def run(self) -> list[list[Scores]]:
        places = [(at, row) for at in range(len(self._specs)) for row in range(len(self._pairs))]
        pool = ThreadPoolExecutor(len(places), thread_name_prefix="gate")
        try:
            self._say()
            while missing := [place for place in places if place not in self._found]:
                self._ask(pool, missing)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        count = range(len(self._pairs))
        return [[self._found[at, row] for row in count] for at in range(len(self._specs))]

    def _ask(self, pool: ThreadPoolExecutor, places: list[_Place]) -> None:
        """A missing engine is waited for: it is no verdict on the model."""
        waiting = {pool.submit(self._score, place): place for place in places}
        while waiting:
            done, _ = wait(waiting, SAID_SECONDS, FIRST_COMPLETED)
            try:
                for future in done:
                    self._take(future, waiting.pop(future))
            except Unavailable as error:
                return self._wait_for_engine(error)
            if waiting and time.monotonic() - self._said >= SAID_SECONDS:
                self._say()
        return None

    def _score(self, place: _Place) -> Scores:
        at, row = place
        (scores,) = self._assignment.tw.engine.score(
            self._specs[at],
            [self._pairs[row]],
            organisation=self._assignment.acting.caller.organisation,
        )
        return scores

    def _take(self, future: Future[Scores], place: _Place) -> None:
        self._found[place] = future.result()

    def _say(self) -> None:
        """How far it is: a row counts when the last of its models has answered. Each is said once,
        however often the check begins anew."""
        self._said = time.monotonic()
        count, models = len(self._pairs), range(len(self._specs))
        done = sum(all((at, row) in self._found for at in models) for row in range(count))
        row = min(done + 1, count)
        text = f"Checking that the served model is the trained one (row {row} of {count})"
        self._assignment.say(f"gate-{row}", text)

    def _wait_for_engine(self, error: Unavailable) -> None:
        self._assignment.say("engine", f"Waiting for the engine: {error.message}", level="warn")
        self._assignment.tw.tasks.renew(self._assignment.task)
        if self._assignment.stopping.wait(ENGINE_RETRY_SECONDS):
            raise error
