"""A model of this home held against what an old one answered."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from tunewright import names
from tunewright.app import Tunewright
from tunewright.dataset.examples import ChatExample, CompletionExample
from tunewright.errors import BadRequest, NotFound
from tunewright.evaluation.comparison import Compared, distances, summary, worse
from tunewright.imports.archive import Archive
from tunewright.imports.regression import OldAnswer, canonical, regression_set
from tunewright.records.models import Weights
from tunewright.rendering.turns import as_tools
from tunewright.resources.asking import ask, message

_KINDS = ("chat", "completion")


@dataclass(frozen=True)
class Comparison:
    """`worse`: in what the model falls short of the old one, in words; empty where in nothing."""

    old: str
    model: str
    base: str
    made_at: int
    rows: list[Compared]
    worse: list[str] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        rows = [{**asdict(row), "same": row.same} for row in self.rows]
        return {**asdict(self), "rows": rows, "summary": summary(self.rows)}


def successor(tw: Tunewright, archive: Archive, old: str) -> str:
    """The newest model here that an old model's job was replayed as. Raises NotFound."""
    for job in tw.jobs.list(metadata={"openai_fine_tuned_model": old}, limit=100).data:
        if job.fine_tuned_model is not None:
            return job.fine_tuned_model
    raise NotFound(
        f"No job that was replayed in place of {old} has succeeded here. Say which model is meant, "
        f"or first: {archive.command('replay', '--model', 'NAME')}",
        param="model",
    )


def compare(
    tw: Tunewright,
    archive: Archive,
    old: str,
    model: str | None = None,
    *,
    each: Callable[[], None] = lambda: None,
) -> Comparison:
    """Ask `model` (the replayed one) what `old` was asked, and keep the comparison in the archive.

    each: called after every prompt. Needs an engine. Raises BadRequest where no answer of the old
    model is recorded, NotFound for a model that is not here.
    """
    answers = regression_set(archive, old)
    if not answers:
        first = archive.command("answers", old)
        raise BadRequest(f"No answer of {old} is recorded. First: {first}", param="model")
    model = model or successor(tw, archive, old)
    weights = tw.models.weights(model, _KINDS)
    rows = _Comparing(tw, weights).rows(answers, each)
    made = Comparison(old, weights.id, weights.base, int(time.time()), rows, worse(rows))
    archive.put(_name(old, weights.id), orjson.dumps(made.wire(), option=orjson.OPT_INDENT_2))
    archive.save()
    return made


def last_comparison(archive: Archive, old: str, model: str) -> Comparison | None:
    """The newest that was made of the two; None where none was, or where more of the old model's
    answers have been recorded since."""
    name = _name(old, model)
    if not archive.has(name):
        return None
    kept = archive.json(name)
    rows = [Compared(**{key: row[key] for key in _FIELDS}) for row in kept["rows"]]
    if len(rows) < len(regression_set(archive, old)):
        return None
    return Comparison(old, model, kept["base"], kept["made_at"], rows, kept["worse"])


_FIELDS = tuple(Compared.__dataclass_fields__)


def _name(old: str, model: str) -> str:
    return f"comparisons/{names.foreign(old)}/{names.foreign(model)}.json"


@dataclass(frozen=True)
class _Comparing:
    tw: Tunewright
    weights: Weights

    def rows(self, answers: list[OldAnswer], each: Callable[[], None]) -> list[Compared]:
        found = ask(answers, self._row, each=each)
        return [
            Compared(**_known(old), message=row.message) if isinstance(row, BadRequest) else row
            for old, row in zip(answers, found, strict=True)
        ]

    def _row(self, old: OldAnswer) -> Compared:
        known = _known(old)
        answer = canonical(message(self.tw.chat, self.tw.completions, self._body(old)))
        return Compared(
            **known,
            answer=answer,
            **distances(answer, known["old_answer"], old.reference),
            **self._told(old),
        )

    def _body(self, old: OldAnswer) -> dict[str, Any]:
        limits = {"temperature": 0.0, "max_tokens": old.max_tokens, "model": self.weights.id}
        stop = {} if old.stop is None or "prompt" not in old.prompt.asked else {"stop": old.stop}
        return {**old.prompt.asked, **limits, **stop}

    def _told(self, old: OldAnswer) -> dict[str, Any]:
        """The log-probabilities of the old answer, a byte of it."""
        size = len(canonical(old.message).encode())
        pair = self._ids(old)
        if not size or not pair[1]:
            return {}
        own = None if old.logprob is None else old.logprob / size
        found: dict[str, Any] = {"own_logprob": own}
        found["logprob"] = self._logprob(self.weights, pair) / size
        if self.weights.adaptation != "none":
            found["base_logprob"] = self._logprob(_untuned(self.weights), pair) / size
        return found

    def _ids(self, old: OldAnswer) -> tuple[list[int], list[int]]:
        renderer = self.tw.renderer(self.weights, self.tw.models)
        asked = old.prompt.asked
        if "prompt" in asked:
            example = CompletionExample(asked["prompt"], old.message["content"])
        else:
            said = {"role": "assistant", **old.message}
            context = [
                {**m, "weight": 0} if m["role"] == "assistant" else m for m in asked["messages"]
            ]
            tools = asked.get("tools") or as_tools(asked.get("functions") or [])
            example = ChatExample([*context, said], tools)
        rows = renderer.rows(example, 1)
        if not rows:
            raise BadRequest("The prompt and the old answer are longer than this model reads.")
        answer = [id for id in rows[-1].answer if id not in renderer.stop_ids]
        return rows[-1].prompt, answer

    def _logprob(self, weights: Weights, pair: tuple[list[int], list[int]]) -> float:
        [scores] = self.tw.engine.score(
            self.tw.models.spec(weights), [pair], organisation=self.tw.caller.organisation
        )
        return sum(scores.logprobs)


def _known(old: OldAnswer) -> dict[str, Any]:
    """What is told of a prompt, whether or not it could be compared."""
    known: dict[str, Any] = {
        "prompt": old.prompt.id,
        "origin": old.prompt.origin,
        "seen": old.prompt.seen,
        "old_answer": canonical(old.message),
    }
    return known if old.reference is None else {**known, "reference": old.reference}


def _untuned(weights: Weights) -> Weights:
    plain = {"id": weights.base, "directory": None, "adaptation": "none"}
    return weights.model_copy(update=plain)
