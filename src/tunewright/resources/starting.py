"""What a job starts from: a base, or a tuned model or checkpoint that it trains further."""

from pathlib import Path

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.home import Home
from tunewright.records.jobs import JobRequest, Method
from tunewright.records.models import Weights

ADAPTATION = "method.supervised.hyperparameters.adaptation"
RANK = "method.supervised.hyperparameters.rank"


def method(request: JobRequest, parent: Weights, adapter: Path | None) -> Method:
    """How `parent` is trained, said in full.

    An adapter (`adapter`: its directory) is trained further, at the rank that it has. Whole weights
    are too, unless `adaptation` asks for an adapter on them. Raises BadRequest for anything else.
    """
    asked = request.resolved_method()
    given = asked.supervised.hyperparameters
    if adapter is not None:
        rank = durable.read_json(adapter / "adapter_config.json")["r"]
        if given.adaptation == "full":
            raise _impossible("is an adapter; 'full' is possible from its base only", ADAPTATION)
        if given.rank not in ("auto", rank):
            raise _impossible(f"is an adapter of rank {rank}; leave 'rank' out", RANK)
        return _with(asked, rank=rank)
    if parent.adaptation == "full" and "adaptation" not in given.model_fields_set:
        return _with(asked, adaptation="full")
    return asked


def keep(home: Home, parent: Weights, job: str, asked: str | None) -> Weights:
    """The start of `job` as it is now, in the job's folder: its model may be deleted afterwards.

    Nothing is kept of a plain base, which stays anyhow. The name is the job's id. asked: what the
    job's model is named by; None: the real base.
    """
    folder = home.job(job) / "start"
    update: dict[str, object] = {"id": job, "job": None, "step": None, "asked": asked}
    base = parent.directory if parent.adaptation == "full" else parent.base_directory
    if base is not None and (parent.adaptation == "full" or _of_a_job(home, base)):
        durable.link(home.inside(base), folder / "base")
        update["base_directory"] = str((folder / "base").relative_to(home.root))
        update["base_fingerprint"] = durable.fingerprint(folder / "base")
    if parent.adaptation == "lora" and parent.directory is not None:
        durable.link(home.inside(parent.directory), folder / "adapter")
        update["directory"] = str((folder / "adapter").relative_to(home.root))
    elif parent.adaptation == "full":
        update |= {"directory": None, "adaptation": "none"}
    return parent.model_copy(update=update)


def drop(home: Home, job: str) -> None:
    """Undo `keep` for a job that did not come to be."""
    durable.remove(home.job(job))


def _of_a_job(home: Home, directory: str) -> bool:
    return home.inside(directory).is_relative_to(home.jobs)


def _with(asked: Method, **effective: object) -> Method:
    hyperparameters = asked.supervised.hyperparameters.model_copy(update=effective)
    supervised = asked.supervised.model_copy(update={"hyperparameters": hyperparameters})
    return asked.model_copy(update={"supervised": supervised})


def _impossible(why: str, param: str) -> BadRequest:
    return BadRequest(f"The model {why}.", param=param, code="invalid_value")
