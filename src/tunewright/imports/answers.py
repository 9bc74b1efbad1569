"""The old models' answers, recorded while they still answer: within a budget, each prompt once.

An archive keeps ``answers/MODEL/PROMPT/asked-0001.json`` before anything is sent, and the answer's
bytes as ``answer-0001.json``. A request without its answer may have been charged: it counts with
the most that it can have cost, in this run and in every later one.
"""

import fcntl
import math
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from tunewright import durable, names
from tunewright.errors import BadRequest
from tunewright.imports.archive import Archive
from tunewright.imports.asking import AskingSource, Lost
from tunewright.imports.fields import mapping, number
from tunewright.imports.prices import Budget, Price, known_price, most_tokens
from tunewright.imports.prompts import OldModel, Prompt, old_models, prompts, stop_of
from tunewright.imports.source import SourceError

PER_MODEL = 200
MOST_TOKENS = 1024  # of an answer
AT_ONCE = 4
_OF_THE_MODEL = (403, 404, 429)  # refused whatever is asked: no right to it, gone, no credit
_TRIES = 3  # of a prompt whose answer was lost, in one run
_BYTES_PER_TOKEN = 4  # for an estimate only
_USUAL_ANSWER = 100  # tokens, where nothing tells


@dataclass(frozen=True)
class Estimate:
    """What asking one model would take. `about` and `at_most` in USD, of the `to_ask`.

    `seen`: how many of the prompts the model was tuned on. `price` is None where none is known.
    """

    model: str
    prompts: Sequence[Prompt]
    to_ask: Sequence[Prompt]
    price: Price | None
    about: float
    at_most: float
    stop: str | None = None
    absent: tuple[str, ...] = ()  # files of its job whose content was not fetched

    @property
    def seen(self) -> int:
        return sum(prompt.seen for prompt in self.prompts)


@dataclass(frozen=True)
class Answered:
    """What became of one prompt. `usd`: what it cost, or may have cost."""

    model: str
    prompt: str
    state: Literal["recorded", "kept", "failed", "over budget"]
    usd: float = 0.0
    message: str = ""
    remedy: str = ""


def estimates(
    archive: Archive,
    models: Collection[str] = (),
    *,
    per_model: int = PER_MODEL,
    max_tokens: int = MOST_TOKENS,
    price: Price | None = None,
) -> list[Estimate]:
    """What asking the tuned models of an archive (or those named) would cost; nothing is asked.

    price: in place of the shipped ones. Raises BadRequest for a model that was not fetched.
    """
    known = {model.name: model for model in old_models(archive)}
    for name in models:
        if name not in known:
            what = f"{name} is not a tuned model in {archive.root}."
            raise BadRequest(f"{what} First: {archive.command('fetch')}", param="model")
    chosen = [known[name] for name in dict.fromkeys(models)] if models else list(known.values())
    return [_estimate(archive, model, per_model, max_tokens, price) for model in chosen]


def _estimate(
    archive: Archive, model: OldModel, per_model: int, max_tokens: int, price: Price | None
) -> Estimate:
    found = prompts(archive, model, per_model)
    missing = [each for each in found if _answer_name(archive, model.name, each.id) is None]
    price = price or known_price(model.name)
    about = at_most = 0.0
    if price is not None:
        sizes = [len(orjson.dumps(prompt.asked)) / _BYTES_PER_TOKEN for prompt in missing]
        written = [min(max_tokens, _expected(prompt)) for prompt in missing]
        about = price.of(sum(sizes), sum(written))
        most = sum(most_tokens(prompt.asked) for prompt in missing)
        at_most = price.of(most, max_tokens * len(missing))
    return Estimate(model.name, found, missing, price, about, at_most, stop_of(model), model.absent)


def _expected(prompt: Prompt) -> float:
    """Tokens that the answer may have."""
    if prompt.reference is None:
        return _USUAL_ANSWER
    return len(orjson.dumps(prompt.reference)) / _BYTES_PER_TOKEN


def answers(
    source: AskingSource,
    archive: Archive,
    asked: Sequence[Estimate],
    *,
    max_usd: float,
    max_tokens: int = MOST_TOKENS,
) -> Iterator[Answered]:
    """Ask what `estimates` lists, at temperature 0 and with log-probabilities; a line for each.

    `max_usd` is never exceeded, by all runs on this archive together: what is under way, and what
    was when an earlier run was killed, counts with the most that it can cost. Raises SourceError
    where the source refuses the key or cannot be reached at all, BadRequest where a price is
    missing or another run is asking.
    """
    for usd in (max_usd, *(usd for each in asked for usd in _of(each.price))):
        if not (math.isfinite(usd) and usd >= 0):
            raise BadRequest(f"{usd} is not an amount of money.", param="max_usd")
    unknown = [each.model for each in asked if each.price is None and each.to_ask]
    if unknown:
        raise BadRequest(
            f"What answers of {', '.join(unknown)} cost is not known. Say it in USD per million "
            "tokens: --price-in and --price-out (0 where they cost nothing).",
            param="price_in",
        )
    with _alone(archive):
        durable.sweep(archive.root)
        asking = _Asking(source, archive, Budget(max_usd, spent(archive)))
        try:
            for each in asked:
                if not each.prompts:
                    yield _nothing_to_ask(archive, each)
                for prompt in each.prompts:  # another run may have asked it since the estimate
                    if _answer_name(archive, each.model, prompt.id):
                        yield Answered(each.model, prompt.id, "kept")
                    else:
                        asking.waiting.append(_question(each, prompt, max_tokens))
            yield from asking.run()
        finally:
            archive.save()


def _of(price: Price | None) -> tuple[float, ...]:
    return () if price is None else (price.read, price.written)


@contextmanager
def _alone(archive: Archive) -> Iterator[None]:
    """Two runs at once would each spend the budget, and ask the same."""
    durable.make_directory(archive.root)
    beside = archive.root.with_name(f"{archive.root.name}.lock")  # the folder holds objects only
    with beside.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadRequest(
                "Another command is asking this source's models. Wait for it."
            ) from None
        yield


@dataclass(frozen=True)
class _Question:
    """A request that may be made. `at_most`: USD. `folder`: of the archive."""

    model: str
    prompt: Prompt
    body: dict[str, Any]
    price: Price
    at_most: float
    folder: str
    tried: int = 0

    def attempt(self, number: int) -> bytes:
        """What is kept before the request is made."""
        return orjson.dumps(
            {
                "model": self.model,
                "id": self.prompt.id,
                "asked": self.prompt.asked,
                "origin": self.prompt.origin,
                "seen": self.prompt.seen,
                "reference": self.prompt.reference,
                "path": self.prompt.path,
                "body": self.body,
                "price": {"read": self.price.read, "written": self.price.written},
                "at_most_usd": self.at_most,
                "attempt": number,
            }
        )


def _question(each: Estimate, prompt: Prompt, max_tokens: int) -> _Question:
    chat = "messages" in prompt.asked
    stop = {} if each.stop is None else {"stop": each.stop}
    body = {
        "model": each.model,
        **prompt.asked,
        "temperature": 0,
        "max_tokens": max_tokens,
        "logprobs": True if chat else 1,
        **stop,
    }
    price = each.price or Price(0, 0)
    at_most = price.of(most_tokens(prompt.asked), max_tokens)
    return _Question(each.model, prompt, body, price, at_most, folder(each.model, prompt.id))


@dataclass
class _Asking:
    """Some requests at once; all that is kept is kept by the thread that runs this."""

    source: AskingSource
    archive: Archive
    budget: Budget
    waiting: deque[_Question] = field(default_factory=deque)

    def run(self) -> Iterator[Answered]:
        flying: dict[Future[bytes], tuple[_Question, int]] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                while self.waiting or flying:
                    while self.waiting and len(flying) < AT_ONCE:
                        question = self.waiting.popleft()
                        if self.budget.hold(question.at_most):
                            number = self._begin(question)
                            path, body = question.prompt.path, question.body
                            flying[pool.submit(self.source.ask, path, body)] = question, number
                        elif flying:  # what comes back may cost less than was set aside
                            self.waiting.appendleft(question)
                            break
                        else:
                            yield self._too_dear(question)
                    for done in wait(flying, return_when=FIRST_COMPLETED).done:
                        yield from self._land(done, *flying.pop(done))
            finally:  # what is under way is paid for: it is waited for and kept
                for done in wait(flying).done:
                    self._keep(done, *flying[done])

    def _begin(self, question: _Question) -> int:
        number = len(self.archive.names(f"{question.folder}/asked-*.json")) + 1
        name = f"{question.folder}/asked-{number:04}.json"
        self.archive.put(name, question.attempt(number))
        return number

    def _land(self, done: Future[bytes], question: _Question, number: int) -> Iterator[Answered]:
        """Raises SourceError where nothing else can be asked either. No line: it is asked again."""
        cost = self._keep(done, question, number)
        error = done.exception()
        if error is None:
            yield Answered(question.model, question.prompt.id, "recorded", cost)
        elif not isinstance(error, SourceError) or error.fatal:
            raise error
        elif isinstance(error, Lost) and question.tried + 1 < _TRIES:
            self.waiting.append(_again(question))
        else:
            yield _failed(question, error, cost)
            if error.answered in _OF_THE_MODEL:
                yield from (_failed(each, error) for each in self._give_up(question.model))

    def _give_up(self, model: str) -> list[_Question]:
        """What is refused to one prompt of a model is refused to all: the rest is not asked."""
        given_up = [each for each in self.waiting if each.model == model]
        kept = [each for each in self.waiting if each.model != model]
        self.waiting.clear()
        self.waiting += kept
        return given_up

    def _keep(self, done: Future[bytes], question: _Question, number: int) -> float:
        """Keep what came, and count what it cost, USD."""
        error = done.exception()
        if error is None:
            raw = done.result()
            self.archive.put(f"{question.folder}/answer-{number:04}.json", raw)
            cost = _cost(raw, question.price, question.at_most)
        elif isinstance(error, SourceError) and not isinstance(error, Lost):
            said = {"error": error.message, "status": error.answered}
            self.archive.put(f"{question.folder}/refused-{number:04}.json", orjson.dumps(said))
            cost = 0.0
        else:
            cost = question.at_most
        self.budget.settle(question.at_most, cost)
        return cost

    def _too_dear(self, question: _Question) -> Answered:
        left = self.budget.most - self.budget.spent
        what = f"It may cost ${question.at_most:.4f}, and ${left:.4f} of the budget is left."
        return Answered(question.model, question.prompt.id, "over budget", 0.0, what)


def _failed(question: _Question, error: SourceError, cost: float = 0.0) -> Answered:
    id = question.prompt.id
    return Answered(question.model, id, "failed", cost, error.message, error.remedy)


def _nothing_to_ask(archive: Archive, each: Estimate) -> Answered:
    if not each.absent:
        what = "There is no row and no stored prompt to ask it with."
        return Answered(each.model, "", "failed", 0.0, what)
    what = f"Nothing to ask it with: the content of {', '.join(each.absent)} was not fetched."
    remedy = (
        f"Give the file yourself: {archive.command('fetch', '--file', f'{each.absent[0]}=PATH')}"
    )
    return Answered(each.model, "", "failed", 0.0, what, remedy)


def _again(question: _Question) -> _Question:
    fields: dict[str, Any] = {**vars(question), "tried": question.tried + 1}
    return _Question(**fields)


def spent(archive: Archive) -> float:
    """USD that all runs so far have cost, or may have cost where an answer was lost."""
    total = 0.0
    for name in archive.names("answers/*/*/asked-*.json"):
        asked = archive.json(name)
        answer = name.replace("/asked-", "/answer-")
        if archive.has(answer):
            total += _cost(archive.read(answer), Price(**asked["price"]), asked["at_most_usd"])
        elif not archive.has(name.replace("/asked-", "/refused-")):
            total += asked["at_most_usd"]
    return total


def _cost(raw: bytes, price: Price, at_most: float) -> float:
    """By what the answer says that it used; the most that it can be where it does not say."""
    try:
        usage = mapping(mapping(orjson.loads(raw)).get("usage"))
    except ValueError:
        return at_most
    read, written = (number(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    return at_most if read is None or written is None else price.of(read, written)


def folder(model: str, prompt: str) -> str:
    """Of the archive. `prompt`: an id of ours, or a pattern of them."""
    return f"answers/{names.foreign(model)}/{prompt}"


def _answer_name(archive: Archive, model: str, prompt: str) -> str | None:
    return next(iter(archive.names(f"{folder(model, prompt)}/answer-*.json")), None)
