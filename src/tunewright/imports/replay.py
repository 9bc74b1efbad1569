"""Old jobs, created anew on a base of this home from what was fetched."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tunewright.app import Tunewright
from tunewright.errors import BadRequest, TunewrightError
from tunewright.imports.archive import Archive
from tunewright.imports.bases import suggestions
from tunewright.imports.regression import holds_answers, regression_set, training_rows
from tunewright.records.checks import FileCheck, FileCheckRequest
from tunewright.records.jobs import Job

_MOST_METADATA = 16
_LONGEST_VALUE = 512
OUTPUT_TRAINING = (
    "Training on a model's answers needs the permission of who runs it: OpenAI's terms of use "
    "(https://openai.com/policies/) forbid using output to develop models that compete with "
    "OpenAI, and whether yours does is for you to settle, with them where in doubt."
)
_ALLOW = "With that permission: --allow-output-training."


@dataclass(frozen=True)
class Replay:
    """What becomes of one old job.

    `tokens`: trained by the new job, all epochs, counted with the new base; `old_tokens`: what the
    old one was billed for. A refused one has a `message` that says what to do.
    """

    job: str
    old_base: str
    state: Literal["created", "would be created", "there", "refused"]
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
        old = archive.json(name)
        wanted = old["id"] in jobs if jobs else old.get("status") == "succeeded"
        if wanted:
            yield _Replaying(tw, archive, base, allowed, files, old).line()


@dataclass(frozen=True)
class Allowed:
    """What a replay may do, as `replay` has it."""

    dry_run: bool
    on_answers: bool
    output_training: bool


@dataclass(frozen=True)
class _Replaying:
    tw: Tunewright
    archive: Archive
    base: str | None
    allowed: Allowed
    files: dict[str, str]  # old id -> new id, of what was brought in before
    old: dict[str, Any]

    def line(self) -> Replay:
        try:
            return self._line()
        except TunewrightError as error:
            return self._said("refused", message=error.message)

    def _line(self) -> Replay:
        method = (self.old.get("method") or {}).get("type", "supervised")
        if method != "supervised":
            return self._said("refused", message=f"Jobs of the method {method} cannot be replayed.")
        if self.base is None:
            return self._said("refused", message=self._suggested())
        if (there := self._there()) is not None:
            return self._said("there", new_job=there)
        missing = [id for id in self._data_files() if not self.archive.has(_content(id))]
        if self.allowed.on_answers:
            self._write_answers()
        elif missing:
            what = f"The content of {', '.join(missing)} was not fetched."
            remedy = f"Give it by hand: tunewright import openai fetch --file {missing[0]}=PATH"
            return self._said("refused", message=f"{what} {remedy}")
        if not self.allowed.output_training and self._holds_answers():
            what = "The training file holds answers of the old model that no file of it has."
            return self._said("refused", message=f"{what} {OUTPUT_TRAINING} {_ALLOW}")
        found = self._checked(self.base)
        if not found.fit:
            return self._said("refused", message=found.error.message if found.error else "")
        return self._created(self.base, found)

    def _created(self, base: str, found: FileCheck) -> Replay:
        n_epochs = self._hyperparameters().get("n_epochs", "auto")
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
            suffix=self.old.get("user_provided_suffix"),
            seed=self.old.get("seed"),
            hyperparameters={"n_epochs": n_epochs},
            metadata=self._metadata(),
        )

    def _checked(self, base: str) -> FileCheck:
        training, *_ = self._data_files()
        path = self.archive.path(_content(training))
        return self.tw.checking.check(path, training, FileCheckRequest(model=base))

    def _brought_in(self, id: str) -> str:
        if id not in self.files:
            record = f"files/{id}.json"
            known = self.archive.json(record) if self.archive.has(record) else {}
            name = Path(str(known.get("filename") or f"{id}.jsonl")).name
            path = self.archive.path(_content(id))
            with path.open("rb") as opened:
                made = self.tw.files.create(file=opened, purpose="fine-tune", filename=name)
            self.files[id] = made.id
        return self.files[id]

    def _there(self) -> str | None:
        """The job that this one was replayed as before, unless that came to nothing."""
        page = self.tw.jobs.list(metadata={"openai_job": self.old["id"]}, limit=100)
        alive = (job.id for job in page.data if job.status not in ("failed", "cancelled"))
        return next(alive, None)

    def _write_answers(self) -> None:
        """Keep the recorded answers as a training file."""
        old = str(self.old.get("fine_tuned_model"))
        rows = training_rows(regression_set(self.archive, old))
        if not rows:
            raise BadRequest(
                f"No answer of {old} is recorded. First: tunewright import openai answers {old}"
            )
        self.archive.put(_content(self._data_files()[0]), rows)

    def _holds_answers(self) -> bool:
        old = str(self.old.get("fine_tuned_model"))
        path = self.archive.path(_content(self._data_files()[0]))
        return holds_answers(path, regression_set(self.archive, old))

    def _data_files(self) -> list[str]:
        if self.allowed.on_answers:
            return [f"answers-{self.old['id']}"]
        both = (self.old["training_file"], self.old.get("validation_file"))
        return [id for id in both if id]

    def _hyperparameters(self) -> dict[str, Any]:
        method = (self.old.get("method") or {}).get("supervised") or {}
        return method.get("hyperparameters") or self.old.get("hyperparameters") or {}

    def _metadata(self) -> dict[str, str]:
        ours = {
            "openai_job": self.old["id"],
            "openai_model": self.old["model"],
            "openai_fine_tuned_model": self.old.get("fine_tuned_model"),
            "openai_trained_tokens": self.old.get("trained_tokens"),
            **{f"openai_{name}": value for name, value in self._hyperparameters().items()},
        }
        kept = {name: str(value)[:_LONGEST_VALUE] for name, value in ours.items() if value}
        if self.allowed.on_answers:
            kept["openai_answers"] = "trained on what the old model answered"
        theirs = list((self.old.get("metadata") or {}).items())
        return dict(theirs[: _MOST_METADATA - len(kept)]) | kept

    def _suggested(self) -> str:
        found = suggestions(self.old["model"])
        named = " or ".join(map(str, found)) or "a base of your choice"
        return (
            f"No base is chosen. In place of {self.old['model']}, for example {named}. "
            "Add one with tunewright models add NAME ID, then say --base NAME."
        )

    def _said(self, state: Any, **more: Any) -> Replay:
        old_tokens = self.old.get("trained_tokens")
        return Replay(self.old["id"], self.old["model"], state, old_tokens=old_tokens, **more)


def _content(id: str) -> str:
    return f"files/{id}.content"
