"""The check of a file for a base: the one that jobs run, as a record."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tunewright import suggestions
from tunewright.dataset import checks
from tunewright.dataset.examples import Form
from tunewright.dataset.reasoning import for_rows
from tunewright.errors import BadRequest, JobFailed
from tunewright.records.checks import FileCheck, FileCheckRequest
from tunewright.records.jobs import JobError
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.models import Models
from tunewright.stepwise import Steps, finish
from tunewright.vocabularies import Encoding

ENCODING = "cl100k_base"
STEP = 0.02  # seconds


class Checking:
    """`cut`: whether examples that are too long lose their end, as the settings say."""

    def __init__(
        self,
        models: Models,
        renderer: Callable[[Weights], Renderer],
        encoding: Callable[[str], Encoding],
        *,
        cut: bool,
    ) -> None:
        self._models = models
        self._renderer = renderer
        self._encoding = encoding
        self.cut = cut

    def renderer(self, model: str) -> tuple[Renderer, Form]:
        """Of a base that can be tuned, with the form of the rows that it takes. Raises NotFound,
        or BadRequest for a model of another kind."""
        renderer = self._renderer(self._models.weights(model, ("chat", "completion")))
        return renderer, "chat" if renderer.is_chat else "completion"

    def check(
        self, path: Path, name: str, request: FileCheckRequest, **asked: suggestions.Value
    ) -> FileCheck:
        """`name`: what to call the file that lies at `path`. `asked`: what else commands that are
        suggested are to have, such as the `home`; ``file``: where the file lies for who asks."""
        return finish(self.checking(path, name, request, **asked))

    def checking(
        self, path: Path, name: str, request: FileCheckRequest, **asked: suggestions.Value
    ) -> Steps[FileCheck]:
        """The same by steps, each of some ten milliseconds or of a row that takes longer."""
        file = str(asked.pop("file", name))
        renderer, form = self.renderer(request.model)
        renderer = for_rows(path, renderer.using(request.chat_template_kwargs))
        encoding, absent = self._openai()
        going = checks.Checking(
            path,
            renderer,
            wants=form,
            param=request.purpose,
            cut=self.cut,
            openai=encoding,
            suggest=partial(suggestions.prepare, file, model=request.model, **asked),
        )
        while not going.go_on(_after(STEP)):
            yield
        found = going.found
        error = found.error()
        return FileCheck(
            file=name,
            model=request.model,
            purpose=request.purpose,
            fit=error is None,
            error=_as_record(error),
            rows=found.rows,
            examples=found.examples,
            bad=found.bad,
            blank=found.blank,
            messages=found.messages,
            tokens=found.tokens,
            supervised_tokens=found.supervised,
            n_epochs=found.epochs,
            trained_tokens=found.trained_tokens(),
            openai=found.openai,
            openai_absent=absent,
            findings=found.findings,
            findings_left_out=found.left_out,
        )

    def _openai(self) -> tuple[Encoding | None, str | None]:
        try:
            return self._encoding(ENCODING), None
        except BadRequest as error:
            return None, error.message


def _after(seconds: float) -> Callable[[], bool]:
    """Whether so much time has passed, asked again and again."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _as_record(error: JobFailed | None) -> JobError | None:
    if error is None:
        return None
    return JobError(code=error.code or "error", message=error.message, param=error.param)
