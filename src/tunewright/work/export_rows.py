"""The rows on which exported files are held against the model that is served."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tunewright import samples
from tunewright.app import Acting
from tunewright.dataset.checks import examples_of
from tunewright.errors import TunewrightError
from tunewright.exporting.recipe import Row
from tunewright.records.files import File
from tunewright.records.jobs import Job
from tunewright.records.models import Weights
from tunewright.rendering import Renderer

ROWS = 8
LONGEST_PROMPT = 1024
LONGEST_ANSWER = 64
_READ = 64  # rows of a file that are looked at


def rows_of(acting: Acting, renderer: Renderer, weights: Weights) -> list[Row]:
    """Of the job's validation file, else its training file, while they are there; else of the
    sample that comes with the package. Answers are cut to LONGEST_ANSWER."""
    found: list[Row] = []
    for file in _files(acting, weights):
        try:
            found += islice(_fitting(file, renderer, weights), ROWS - len(found))
        except (TunewrightError, OSError):  # deleted at this very moment, say
            continue
        if len(found) >= ROWS:
            break
    return found


def _files(acting: Acting, weights: Weights) -> Iterator[Path]:
    job = acting.shelf.get(Job, weights.job) if weights.job else None
    for id in (job.validation_file, job.training_file) if job else ():
        if id and acting.shelf.get(File, id):
            yield acting.files.path(id)
    yield samples.CHATS if weights.kind == "chat" else samples.COMPLETIONS


def _fitting(file: Path, renderer: Renderer, weights: Weights) -> Iterator[Row]:
    form = "chat" if weights.kind == "chat" else "completion"
    for line, example in islice(examples_of(file, form), _READ):
        for row in renderer.rows(example, line):
            if row.answer and len(row.prompt) <= LONGEST_PROMPT:
                yield Row(prompt=row.prompt, answer=row.answer[:LONGEST_ANSWER])
                break
