"""Is the data of a file any good? Embeds its rows and hands the vectors to `quality`.

That is imported on use: its patterns take some 50 ms to compile, which every command would pay.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.builtin import STATIC
from tunewright.dataset.examples import Example, Form, example, faults
from tunewright.dataset.formats import wrong_format
from tunewright.embedding.embedder import Embedder
from tunewright.records.findings import Finding
from tunewright.records.models import Weights
from tunewright.resources.models import Models
from tunewright.tables.reading import lines

if TYPE_CHECKING:
    from tunewright.quality.rows import Row, Rows

EMBEDS = f"builtin-{STATIC.name}"


class Judging:
    def __init__(self, models: Models, embedder: Callable[[Weights], Embedder]) -> None:
        self._models = models
        self._embedder = embedder

    def judge(self, path: Path, form: Form, held_out: Path | None = None) -> list[Finding]:
        """What weakens a training file; rows that the check calls bad are left out. `held_out`:
        validation rows, or prompts as they come in use. Memory grows by the rows and, for each, two
        vectors of float32."""
        from tunewright.quality.judging import judge

        return judge(self._rows(path, form), self._rows(held_out, form) if held_out else None)

    def failures(
        self, validation: Path, answers: Sequence[str], training: Path, form: Form
    ) -> list[Finding]:
        """Where a tuned model still fails: clusters of the validation rows that it answers
        otherwise than expected, with the training rows that lie nearest. `answers`: the model's,
        one for each row that the check calls good. Raises ValueError for another number of them."""
        expected = [row for row, _ in self.rows(validation, form)]
        if len(answers) != len(expected):
            raise ValueError(f"{len(expected)} rows, {len(answers)} answers.")
        return self.failed(list(zip(expected, answers, strict=True)), training, form)[1]

    def failed(
        self, answered: Sequence[tuple["Row", str]], training: Path, form: Form
    ) -> tuple[list[int], list[Finding]]:
        """Places of the answers that are not those of their validation rows, and the clusters."""
        from tunewright.evaluation import failures

        expected = self._embedded([row for row, _ in answered])
        answers = [said for _, said in answered]
        failed = failures.fails(expected, answers, self._engine.embed(answers).vectors)
        known = self._embedded([row for row, _ in self.rows(training, form)]) if failed else None
        return failed, list(failures.told(expected, failed, known)) if known else []

    def rows(self, path: Path, form: Form) -> list[tuple["Row", Example]]:
        """Those that the check calls good and that have an answer to learn."""
        from tunewright.quality.rows import as_row

        return [
            (row, example)
            for line, example in _examples(path, form)
            if (row := as_row(line, example))
        ]

    def _rows(self, path: Path, form: Form) -> "Rows":
        from tunewright.quality.rows import read

        return self._embedded(read(_examples(path, form)))

    def _embedded(self, rows: Sequence["Row"]) -> "Rows":
        from tunewright.quality.rows import Rows

        asked = self._engine.embed([row.asked for row in rows]).vectors
        return Rows(rows, asked, self._engine.embed([row.answer for row in rows]).vectors)

    @property
    def _engine(self) -> Embedder:
        return self._embedder(self._models.weights(EMBEDS, ("embedding",)))


def _examples(path: Path, form: Form) -> Iterator[tuple[int, Example]]:
    if wrong_format(path):
        return
    for line in lines(path):
        sound = not line.blank and not line.fault and not any(faults(line.value, form))
        if sound:
            yield line.number, example(line.value, form)
