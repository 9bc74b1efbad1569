"""Old jobs, created anew on a base of this home from what was fetched."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tunewright import names
from tunewright.app import Tunewright
from tunewright.errors import BadRequest, TunewrightError
from tunewright.imports.archive import Archive
from tunewright.imports.bases import suggestions
from tunewright.imports.fields import mapping, number, text
from tunewright.imports.regression import holds_answers, regression_set, training_rows
from tunewright.records.checks import FileCheck, FileCheckRequest
from tunewright.records.jobs import Job

_FILES = ("training_file", "validation_file")
_HYPERPARAMETERS = ("n_epochs", "batch_size", "learning_rate_multiplier")
_MOST_METADATA = 16
_LONGEST_VALUE = 512
OUTPUT_TRAINING = (
    "To train on a model's answers you need the permission of the company that runs it. OpenAI's "
    "terms of use (https://openai.com/policies/) forbid using output to develop models that "
    "compete with OpenAI. Whether yours does, you have to decide; if in doubt, ask OpenAI."
)
_ALLOW = "If you have the permission, add --allow-output-training."


@dataclass(frozen=True)
class Replay:
    """What becomes of one old job.

    `tokens`: trained by the new job, all epochs, counted with the new base; `old_tokens`: what the
    old one was billed for. A refused one has a `message` that says what to do.
    """

    job: str
    old_base: str
    state: Literal["created", "would be created", "exists already", "refused"]
    new_job: str | None = None
    n_epochs: int | str = "auto"
    examples: int = 0
    tokens: int = 0
    old_tokens: int | None = None
    message: str = ""


def replay(
    tw: Tunewright,
    archive: Archive,
    base: str | None,
    *,
    jobs: Collection[str] = (),
    dry_run: bool = False,
    on_answers: bool = False,
    allow_output_training: bool = False,
) -> Iterator[Replay]:
    """Create the succeeded jobs of an archive (or those named) on `base`; one line for each.

    Files, suffix, seed and epochs are the old ones. The learning rate's multiplier and the batch
    size were chosen for another model: they become auto, and stand in the metadata as
    ``openai_...`` with the rest of what the job was. A job that was replayed before is left as it
    is. Without a `base` every line is refused, with suggestions.

    on_answers: train on what the old models answered in place of their files. That, and a file that
    holds such answers, is refused unless `allow_output_training`.
    """
    if on_answers and not allow_output_training:
        raise BadRequest(f"{OUTPUT_TRAINING} {_ALLOW}", param="allow_output_training")
    allowed = Allowed(dry_run, on_answers, allow_output_training)
    files: dict[str, str] = {}
    for name in sorted(archive.names("jobs/*/job.json")):
        try:
            old = _Old(archive.record(name))
        except TunewrightError as error:  # changed on this disk since
            yield Replay(name.split("/")[1], "", "refused", message=error.message)
            continue
        wanted = old.id in jobs if jobs else old.text("status") == "succeeded"
        if wanted:
            yield _Replaying(tw, archive, base, allowed, files, old).line()


@dataclass(frozen=True)
class Allowed:
    """What a replay may do, as `replay` has it."""

    dry_run: bool
    on_answers: bool
    output_training: bool


@dataclass(frozen=True)
class _Old:
    """A job as its source gave it: every field may be anything."""

    given: dict[str, Any]

    @property
    def id(self) -> str:
        return self.text("id")

    def text(self, name: str) -> str:
        return text(self.given.get(name))

    @property
    def files(self) -> list[str]:
        """The ids of its training file and of its validation file, where it has one. Raises
        BadRequest where they are none."""
        found = [self.given.get(name) for name in _FILES]
        if not found[1]:
            found.pop()
        for id in found:
            names.foreign(id)
        return [str(id) for id in found]

    @property
    def method(self) -> str:
        return text(mapping(self.given.get("method")).get("type")) or "supervised"

    @property
    def hyperparameters(self) -> dict[str, Any]:
        method = mapping(mapping(self.given.get("method")).get("supervised"))
        own = mapping(method.get("hyperparameters"))
        return own or mapping(self.given.get("hyperparameters"))

    @property
    def n_epochs(self) -> int | str:
        given = number(self.hyperparameters.get("n_epochs"))
        return given or "auto"


@dataclass(frozen=True)
class _Replaying:
    tw: Tunewright
    archive: Archive
    base: str | None
    allowed: Allowed
    files: dict[str, str]  # old id -> new id, of what was brought in before
    old: _Old

    def line(self) -> Replay:
        try:
            return self._line()
        except TunewrightError as error:
            return self._said("refused", message=error.message)

    def _line(self) -> Replay:
        method = self.old.method
        if method != "supervised":
            return self._said("refused", message=f"Jobs of the method {method} cannot be replayed.")
        names.foreign(self.old.id)
        if self.base is None:
            return self._said("refused", message=self._suggested())
        if (there := self._there()) is not None:
            return self._said("exists already", new_job=there)
        missing = [id for id in self._data_files() if not self.archive.has(_content(id))]
        if self.allowed.on_answers:
            self._write_answers()
        elif missing:
            what = f"The content of {', '.join(missing)} was not fetched."
            command = self.archive.command("fetch", "--file", f"{missing[0]}=PATH")
            remedy = f"Give the file yourself: {command}"
            return self._said("refused", message=f"{what} {remedy}")
        if not self.allowed.output_training and self._holds_answers():
            what = "The training file contains answers that the old model was recorded to give."
            return self._said("refused", message=f"{what} {OUTPUT_TRAINING} {_ALLOW}")
        found = self._checked(self.base)
        if not found.fit:
            return self._said("refused", message=found.error.message if found.error else "")
        return self._created(self.base, found)

    def _created(self, base: str, found: FileCheck) -> Replay:
        n_epochs = self.old.n_epochs
        times = n_epochs if isinstance(n_epochs, int) else found.n_epochs
        counted: dict[str, Any] = {
            "n_epochs": times,
            "examples": found.examples,
            "tokens": found.tokens.total * times,
        }
        if self.allowed.dry_run:
            return self._said("would be created", **counted)
        job = self._create(base, n_epochs)
        return self._said("created", new_job=job.id, **counted)

    def _create(self, base: str, n_epochs: int | str) -> Job:
        training, *validation = (self._brought_in(id) for id in self._data_files())
        return self.tw.jobs.create(
            model=base,
            training_file=training,
            validation_file=validation[0] if validation else None,
            suffix=self.old.given.get("user_provided_suffix"),
            seed=self.old.given.get("seed"),
            hyperparameters={"n_epochs": n_epochs},
            metadata=self._metadata(),
        )

    def _checked(self, base: str) -> FileCheck:
        training, *_ = self._data_files()
        path = self.archive.path(_content(training))
        return self.tw.checking.check(path, training, FileCheckRequest(model=base))

    def _brought_in(self, id: str) -> str:
        if id not in self.files:
            record = f"files/{names.foreign(id)}.json"
            known = self.archive.record(record) if self.archive.has(record) else {}
            name = names.file(text(known.get("filename")) or f"{id}.jsonl")
            path = self.archive.path(_content(id))
            with path.open("rb") as opened:
                made = self.tw.files.create(file=opened, purpose="fine-tune", filename=name)
            self.files[id] = made.id
        return self.files[id]

    def _there(self) -> str | None:
        """The job that this one was replayed as before, unless that came to nothing."""
        page = self.tw.jobs.list(metadata={"openai_job": self.old.id}, limit=100)
        alive = (job.id for job in page.data if job.status not in ("failed", "cancelled"))
        return next(alive, None)

    def _write_answers(self) -> None:
        """Keep the recorded answers as a training file."""
        old = self.old.text("fine_tuned_model")
        rows = training_rows(regression_set(self.archive, old))
        if not rows:
            first = self.archive.command("answers", old)
            raise BadRequest(f"No answer of {old} is recorded. First: {first}")
        self.archive.put(_content(self._data_files()[0]), rows)

    def _holds_answers(self) -> bool:
        old = self.old.text("fine_tuned_model")
        path = self.archive.path(_content(self._data_files()[0]))
        return holds_answers(path, regression_set(self.archive, old))

    def _data_files(self) -> list[str]:
        if self.allowed.on_answers:
            return [f"answers-{self.old.id}"]
        return self.old.files

    def _metadata(self) -> dict[str, str]:
        ours = {
            "openai_job": self.old.id,
            "openai_model": self.old.text("model"),
            "openai_fine_tuned_model": self.old.text("fine_tuned_model"),
            "openai_trained_tokens": number(self.old.given.get("trained_tokens")),
            **{f"openai_{name}": self.old.hyperparameters.get(name) for name in _HYPERPARAMETERS},
        }
        kept = {name: str(value)[:_LONGEST_VALUE] for name, value in ours.items() if value}
        if self.allowed.on_answers:
            kept["openai_answers"] = "trained on the old model's answers"
        theirs = list(mapping(self.old.given.get("metadata")).items())
        return dict(theirs[: _MOST_METADATA - len(kept)]) | kept

    def _suggested(self) -> str:
        found = suggestions(self.old.text("model"))
        named = " or ".join(map(str, found)) or "a base of your choice"
        return (
            f"No base is chosen. In place of {self.old.text('model')}, for example {named}. "
            "Add one with tunewright models add NAME, then give --model NAME."
        )

    def _said(self, state: Any, **more: Any) -> Replay:
        old_tokens = number(self.old.given.get("trained_tokens"))
        return Replay(self.old.id, self.old.text("model"), state, old_tokens=old_tokens, **more)


def _content(id: str) -> str:
    return f"files/{names.foreign(id)}.content"
