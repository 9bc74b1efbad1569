"""Is the data of a file any good? Embeds its rows and hands the vectors to `quality`.

That is imported on use: its patterns take some 50 ms to compile, which every command would pay.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.builtin import STATIC
from tunewright.dataset.examples import Example, Form, example, faults
from tunewright.dataset.formats import wrong_format
from tunewright.dataset.reading import lines
from tunewright.embedding.embedder import Embedder
from tunewright.records.findings import Finding
from tunewright.records.models import Weights
from tunewright.resources.models import Models

if TYPE_CHECKING:
    from tunewright.quality.rows import Rows

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
        from tunewright.quality import failures

        given = self._engine.embed(answers).vectors
        expected = self._rows(validation, form)
        return failures.find(expected, answers, given, self._rows(training, form))

    def _rows(self, path: Path, form: Form) -> "Rows":
        from tunewright.quality.rows import Rows, read

        rows = read(_examples(path, form))
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
