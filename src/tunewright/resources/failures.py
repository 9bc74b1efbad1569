"""What the model of a job still gets wrong: it answers the validation file, and is judged."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tunewright.dataset.examples import ChatExample, CompletionExample, Example
from tunewright.errors import BadRequest
from tunewright.records.checks import JobFailures, WrongAnswer
from tunewright.records.jobs import Job
from tunewright.resources.asking import ask, message
from tunewright.resources.chat import Chat
from tunewright.resources.completions import Completions
from tunewright.resources.files import Files
from tunewright.resources.jobs import Jobs
from tunewright.resources.judging import Judging
from tunewright.resources.models import Models

if TYPE_CHECKING:
    from tunewright.quality.rows import Row

MOST_ASKED = 500  # rows; more make an answer of minutes one of hours, and change it little
_ROOM = 32  # tokens that an answer may have beyond half as many as the expected one has bytes


class Failures:
    def __init__(
        self,
        jobs: Jobs,
        files: Files,
        models: Models,
        judging: Judging,
        chat: Chat,
        completions: Completions,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._models = models
        self._judging = judging
        self._chat = chat
        self._completions = completions

    def of(
        self,
        job_id: str,
        most: int = MOST_ASKED,
        *,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> JobFailures:
        """Ask the tuned model of a job what its validation file asks, at temperature 0, and find
        the clusters of wrong answers with the training rows that lie nearest to them.

        Needs the engine; takes as long as so many answers. Of more than `most` rows, as many from
        all over the file are asked. `progress`: told after every answer how many there are, and how
        many there will be. Raises NotFound for an unknown job, and BadRequest for one that
        has no model or no validation file, or whose files were deleted.
        """
        job = self._jobs.retrieve(job_id)
        model, held_out = _model(job), _held_out(job)
        validation, training = self._files.path(held_out), self._files.path(job.training_file)
        chat = self._models.weights(model, ("chat", "completion")).kind == "chat"
        form = "chat" if chat else "completion"
        rows = self._judging.rows(validation, form)
        asked = rows[:: -(-len(rows) // max(most, 1)) or 1]
        told = self._answers([_body(model, row, one) for row, one in asked], progress)
        pairs = [
            (row, said.get("content") or "")
            for (row, _), said in zip(asked, told, strict=True)
            if not isinstance(said, BadRequest)
        ]
        failed, findings = self._judging.failed(pairs, training, form)
        refused = [said for said in told if isinstance(said, BadRequest)]
        return JobFailures(
            job=job.id,
            model=model,
            validation_file=held_out,
            rows=len(rows),
            asked=len(asked),
            unanswered=len(refused),
            unanswered_because=refused[0].message if refused else None,
            failed=len(failed),
            accuracy=1 - len(failed) / len(pairs) if pairs else None,
            answers=[_wrong(*pairs[place]) for place in failed],
            findings=findings,
        )

    def _answers(
        self, bodies: list[dict[str, Any]], progress: Callable[[int, int], None]
    ) -> list[dict[str, Any] | BadRequest]:
        done = itertools.count(1)
        return ask(
            bodies,
            partial(message, self._chat, self._completions),
            each=lambda: progress(next(done), len(bodies)),
        )


def _body(model: str, row: "Row", one: Example) -> dict[str, Any]:
    """What the model is asked, as a request for a chat or a completion has it."""
    limits: dict[str, Any] = {
        "model": model,
        "temperature": 0.0,
        "max_tokens": len(row.answer.encode()) // 2 + _ROOM,
    }
    if isinstance(one, CompletionExample):
        return {"prompt": one.prompt, **limits}
    tools = {"tools": list(one.tools)} if one.tools else {}
    return {"messages": _before_answer(one), **tools, **limits}


def _wrong(row: "Row", given: str) -> WrongAnswer:
    return WrongAnswer(line=row.line, question=row.asked, expected=row.answer, given=given)


def _model(job: Job) -> str:
    if job.fine_tuned_model is None:
        raise BadRequest(
            f"{job.id} has no model ({job.status}): wait for its end, or name another job.",
            param="job",
        )
    return job.fine_tuned_model


def _held_out(job: Job) -> str:
    if job.validation_file is None:
        raise BadRequest(
            f"{job.id} had no validation file: there is nothing to judge its answers by. Create "
            "the job with one.",
            param="job",
        )
    return job.validation_file


def _before_answer(one: ChatExample) -> list[dict[str, Any]]:
    """The messages before the last answer that is learned, as a request may have them."""
    from tunewright.quality.rows import last_answer

    before = one.messages[: last_answer(one.messages)]
    return [{key: value for key, value in m.items() if key != "weight"} for m in before]
