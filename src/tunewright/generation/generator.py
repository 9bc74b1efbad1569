"""The `Generator` protocol and what passes through it. Light: no torch here."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, Protocol

from tunewright.errors import TunewrightError

Reason = Literal["stop", "length"]


@dataclass(frozen=True)
class ModelSpec:
    """Which weights to run. Complete in itself, so a restarted engine needs no registration.

    `key` names the model (for `unload`); `base` and `adapter` are directories; `fingerprint` says
    which content of `base` is meant: another fingerprint at the same path is loaded anew.
    """

    key: str
    base: str
    adapter: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How the next token is chosen, by the names that requests have for it, which are OpenAI's and
    vLLM's: what a request gives under one of them arrives here (`answering.prepared`).

    `temperature` 0 is greedy; 0 < `top_p` <= 1. A token that has less than `min_p` (0 to 1) times
    the probability of the most likely one, at this temperature, is not drawn. The penalties count
    the tokens that this row has made; `logit_bias` adds to the logits of token ids.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Request(SamplingParams):
    """One row to generate. `max_tokens` >= 0.

    `logprobs`: report each token with so many of the most likely ones; `prompt_logprobs`: the
    prompt's tokens too. `grammar`, in llguidance's Lark, is what the answer may be; one that
    cannot be compiled is the fault of the client's parameter `grammar_param`.

    Rows of one `organisation` go in the order in which they came; organisations take turns.

    With `forced`, nothing is sampled: those tokens are fed one by one through the same path and
    scored, and all that concerns sampling is ignored.
    """

    id: int
    model: ModelSpec
    prompt: list[int]
    max_tokens: int = 16
    _: KW_ONLY
    stop_ids: frozenset[int] = field(default_factory=frozenset)
    forced: list[int] | None = None
    logprobs: int | None = None
    prompt_logprobs: bool = False
    grammar: str | None = None
    grammar_param: str = "response_format"
    organisation: str = ""


@dataclass(frozen=True)
class Logprob:
    """A token and its natural-log probability in the model's own distribution.

    That is: at temperature 1, before penalties, biases, a grammar and the nucleus. At least
    LEAST_LOGPROB, so that it is a number in JSON too. `top`: the most likely tokens there, falling.
    """

    token: int
    logprob: float
    top: list[tuple[int, float]] = field(default_factory=list)


LEAST_LOGPROB = -9999.0


@dataclass(frozen=True)
class Scores:
    """Natural-log probabilities of a forced answer of n tokens, in float32.

    `logprobs[i]` belongs to answer token i given all before it. `top[i]` is (greedy token, its
    logprob, the runner-up's logprob) at the same position.
    """

    logprobs: list[float]
    top: list[tuple[int, float, float]]


@dataclass(frozen=True)
class Piece:
    """What one step gave one row. The last piece of a row has `finished` or `error`, never both.

    Stop tokens are not in `ids`. `scores` comes with the last piece of a forced row. `logprobs`
    has an item for each of `ids` where the request asks for them; `prompt` comes with the first
    piece of a row with `prompt_logprobs`: an item for each prompt token but the first.
    """

    id: int
    ids: list[int]
    finished: Reason | None = None
    scores: Scores | None = None
    error: TunewrightError | None = None
    logprobs: list[Logprob] | None = None
    prompt: list[Logprob] | None = None

    @property
    def last(self) -> bool:
        return self.finished is not None or self.error is not None


class Generator(Protocol):
    """Generates for many rows at once, a step at a time. Not thread-safe: one thread owns it.

    The order of a row's pieces is the order of its tokens; rows do not wait for each other and may
    be submitted and cancelled between any two steps. A row's tokens depend on its request alone,
    never on its neighbours, up to the rounding of the arithmetic: the same seed, prompt and model
    give the same tokens. Every submitted row gets exactly one last piece, unless it is cancelled.

    Errors of one row arrive as its last piece and leave the others running: BadRequest (a prompt
    that is empty, longer than the context, or has ids outside the vocabulary; such ids in
    `logit_bias`; a `grammar` that cannot be compiled), Corrupt (a file that its manifest disowns,
    or weights that give no finite numbers), NotFound (no such directory), MissingExtra (a grammar
    without the package for it), Unavailable (the computation failed).
    """

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        ...

    def load(self, model: ModelSpec) -> None:
        """Make `model` resident. Raises Corrupt, NotFound, or Busy when all room is in use."""
        ...

    def unload(self, key: str) -> None:
        """Forget the model `key`; its running rows end with NotFound. Unknown keys are no error."""
        ...

    def submit(self, request: Request) -> None:
        """Queue a row; it joins at the next `step`. Ids of running rows must differ."""
        ...

    def cancel(self, id: int) -> None:
        """Drop a row before the next step; it gets no further piece. Unknown ids are no error."""
        ...

    def step(self) -> list[Piece]:
        """Advance every running row by one token at most; prompts by a bounded chunk."""
        ...
