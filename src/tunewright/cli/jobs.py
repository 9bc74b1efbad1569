"""Fine-tuning jobs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunewright.cli.files import refuse_other_formats
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    LimitOption,
    moment,
    notes,
    print_json,
    print_table,
    say,
)
from tunewright.cli.verbs import change_record, following, list_records
from tunewright.suggestions import command

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.files import File
    from tunewright.records.jobs import Job

app = typer.Typer(
    no_args_is_help=True,
    help="Fine-tuning jobs.\n\n"
    "Example: tunewright jobs create --training-file chats.jsonl --follow",
)
JobId = Annotated[str, typer.Argument(metavar="JOB-ID", help="As `jobs list` shows it.")]

_TrainingFileOption = Annotated[
    str,
    typer.Option(metavar="FILE", help="The id of a file, or a path: it is uploaded first."),
]
_ModelOption = Annotated[str, typer.Option(help="The base, tuned model or checkpoint to tune.")]
_ValidationFileOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Rows that are not trained on: their loss shows overfitting. An id or a path.",
    ),
]
_SuffixOption = Annotated[
    str | None, typer.Option(help="A word of yours for the tuned model's name.")
]
_NEpochsOption = Annotated[int | None, typer.Option(help="How often each row is trained on.")]
_BatchSizeOption = Annotated[int | None, typer.Option(help="How many rows a step has.")]
_LearningRateMultiplierOption = Annotated[
    float | None, typer.Option(help="Multiplies the learning rate that is chosen for the base.")
]
_AdaptationOption = Annotated[
    Literal["lora", "full"] | None,
    typer.Option(help="Train a small adapter beside the base (lora), or all weights (full)."),
]
_SeedOption = Annotated[
    int | None, typer.Option(help="The same seed and data give the same model.")
]
_FollowOption = Annotated[bool, typer.Option("--follow", help="Watch the job to its end.")]


@app.command()
def create(
    training_file: _TrainingFileOption,
    model: _ModelOption = "gpt-3.5-turbo",
    validation_file: _ValidationFileOption = None,
    suffix: _SuffixOption = None,
    n_epochs: _NEpochsOption = None,
    batch_size: _BatchSizeOption = None,
    learning_rate_multiplier: _LearningRateMultiplierOption = None,
    adaptation: _AdaptationOption = None,
    seed: _SeedOption = None,
    follow: _FollowOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Create a job and print its id. Options that are not given are chosen; the job shows them.

    Example: tunewright jobs create --training-file chats.jsonl --suffix support --follow
    """
    from tunewright.cli.opening import records, running

    hyperparameters = {
        "n_epochs": n_epochs,
        "batch_size": batch_size,
        "learning_rate_multiplier": learning_rate_multiplier,
        "adaptation": adaptation,
    }
    given = {"model": model, "suffix": suffix, "seed": seed, "method": _method(hyperparameters)}
    data = {"training_file": training_file, "validation_file": validation_file}
    given_paths = [Path(place) for place in data.values() if place]
    refuse_other_formats(given_paths, model=model, home=home)
    with running(home) if follow else records(home) as tw:
        job = _create(tw, data, {name: value for name, value in given.items() if value is not None})
        print_json(job.wire()) if json else say(job.id)
        if follow:
            _follow(tw, job.id, home)
        elif not tw.processes.others_running():
            serve = command("serve", home=home)
            said = f"The job waits: no server runs on this folder. Next: {serve}"
            notes.print(said, markup=False, soft_wrap=True)


@app.command("list")
def list_(
    home: HomeOption = None,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List jobs, newest first.

    Example: tunewright jobs list --limit 5
    """
    columns = ["id", "status", "base", "tuned model", "created"]
    list_records(home, lambda tw: tw.jobs.list(limit=limit), columns, _row, json=json)


def _row(tw: "Tunewright", job: "Job") -> tuple[object, ...]:
    return job.id, _status(tw, job), job.model, job.fine_tuned_model, moment(job.created_at)


@app.command()
def get(id: JobId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show one job: its status, its files, its model and the hyperparameters that are used.

    Example: tunewright jobs get ftjob-Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        job = tw.jobs.retrieve(id)
        status = _status(tw, job)
    if json:
        return print_json(job.wire())
    return print_table(["job", job.id], _described(job, status))


@app.command()
def events(
    id: JobId,
    home: HomeOption = None,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """Print a job's events, newest first.

    Example: tunewright jobs events ftjob-Ab12... --limit 50
    """
    list_records(
        home,
        lambda tw: tw.jobs.events(id, limit=limit),
        ["time", "level", "message"],
        lambda _, event: (moment(event.created_at), event.level, event.message),
        json=json,
    )


@app.command()
def follow(id: JobId, home: HomeOption = None) -> None:
    """Watch a job to its end: progress, loss, speed, time left.

    Example: tunewright jobs follow ftjob-Ab12...
    """
    from tunewright.records.jobs import OPEN

    with following(home, lambda tw: tw.jobs.retrieve(id), OPEN) as tw:
        if _status(tw, tw.jobs.retrieve(id)) == "paused":
            again = command("jobs", "resume", id, home=home)
            notes.print(f"{id} is paused. To resume it: {again}", markup=False, soft_wrap=True)
        _follow(tw, id, home)


@app.command()
def cancel(id: JobId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Cancel a job. One that trains stops after its current step.

    Example: tunewright jobs cancel ftjob-Ab12...
    """
    change_record(home, lambda tw: tw.jobs.cancel(id), json=json)


@app.command()
def pause(id: JobId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Pause a job. One that trains saves its state, and the next job can train.

    Example: tunewright jobs pause ftjob-Ab12...
    """
    change_record(home, lambda tw: tw.jobs.pause(id), "{id} is paused.", json=json)


@app.command()
def resume(id: JobId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Resume a paused job from where it stopped.

    Example: tunewright jobs resume ftjob-Ab12...
    """
    change_record(home, lambda tw: tw.jobs.resume(id), "{id} is resumed.", json=json)


def _follow(tw: "Tunewright", id: str, home: Path | None) -> None:
    from tunewright.cli.follow import follow as draw
    from tunewright.cli.follow import outcome

    try:
        watch = draw(id, (event.wire() for event in tw.jobs.follow(id)))
    except KeyboardInterrupt:
        again = command("jobs", "follow", id, home=home)
        notes.print(f"{id} goes on as long as a server runs. Watch again: {again}", soft_wrap=True)
        raise typer.Exit(130) from None
    outcome(tw.jobs.retrieve(id).wire(), watch)


def _create(tw: "Tunewright", data: dict[str, str | None], given: dict[str, Any]) -> "Job":
    """`data`: file ids, or paths of files to upload. A job that is refused leaves no upload."""
    from tunewright.errors import TunewrightError

    uploaded: list[File] = []
    try:
        for param, place in data.items():
            if place is not None and Path(place).exists():
                uploaded.append(tw.files.create(file=place, purpose="fine-tune"))
                given[param] = uploaded[-1].id
            elif place is not None:
                _refuse_missing(place, param)
                given[param] = place
        job = tw.jobs.create(**given)
    except TunewrightError:
        for file in uploaded:
            tw.files.delete(file.id)
        raise
    for file in uploaded:
        notes.print(f"Uploaded {file.filename} as {file.id}", markup=False, soft_wrap=True)
    return job


def _refuse_missing(place: str, param: str) -> None:
    """A path that is not there is no id: those have no dot and no slash."""
    from tunewright.errors import BadRequest

    if "/" in place or "." in place:
        raise BadRequest(f"There is no file {place}.", param=param)


def _status(tw: "Tunewright", job: "Job") -> str:
    """The wire has no status for a job that is paused: it is queued there."""
    from tunewright.records.jobs import OPEN

    return "paused" if job.status in OPEN and tw.tasks.held(job.id) else job.status


def _method(hyperparameters: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in hyperparameters.items() if value is not None}
    return {"type": "supervised", "supervised": {"hyperparameters": given}}


def _described(job: "Job", status: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("status", status),
        ("error", job.error.message if job.error else None),
        ("base", job.model),
        ("tuned model", job.fine_tuned_model),
        ("training file", job.training_file),
        ("validation file", job.validation_file),
        ("result file", ", ".join(job.result_files)),
        ("trained tokens", job.trained_tokens),
        ("created", moment(job.created_at)),
        ("expected to finish", moment(job.estimated_finish)),
        ("finished", moment(job.finished_at)),
        ("seed", job.seed),
        *job.method.hyperparameters.model_dump().items(),
    ]
    return [row for row in rows if row[1] not in (None, "")]
