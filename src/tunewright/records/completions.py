"""Chat and text completions: requests and answers."""

from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

from tunewright.records.jobs import Metadata
from tunewright.records.logprobs import ChatLogprobs, CompletionLogprobs
from tunewright.records.messages import AssistantMessage, Function, Message, Tool
from tunewright.records.parts import Content
from tunewright.records.record import Record, Request, new_id, now
from tunewright.records.response_format import ResponseFormat
from tunewright.records.template_kwargs import TemplateKwargs
from tunewright.records.tool_choice import FunctionChoice, ToolChoice

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ServiceTier = Literal["auto", "default", "flex", "scale", "priority", "fast"]
FinishReason = Literal["stop", "length", "tool_calls", "function_call"]
# Looked for in the text after each token; what could become one is held back.
_StopString = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Stop = _StopString | Annotated[list[_StopString], Field(max_length=4)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Choices = Annotated[int, Field(ge=1, le=128)]
Tokens = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


def _token_id(name: str) -> str:
    if not (name.isascii() and name.isdigit() and len(name) < 10):
        raise ValueError(f"{name!r} is not a token id")
    return name


Biases = Annotated[
    dict[Annotated[str, AfterValidator(_token_id)], Annotated[float, Field(ge=-100, le=100)]],
    Field(max_length=300),
]


class StreamOptions(Request):
    without_effect: ClassVar[dict[str, str]] = {
        "include_obfuscation": "padding that hides the length of chunks on public networks"
    }

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Sampling(Request):
    """What chat and text completions share. Every field may be null: SDK 0.28's CLI sends nulls."""

    without_effect: ClassVar[dict[str, str]] = {
        "user": "tells OpenAI's abuse monitoring who asks; there is none here, and it is not kept"
    }

    model: Annotated[str, StringConstraints(min_length=1)]
    temperature: Temperature | None = None
    top_p: TopP | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="vLLM's: a token with less than so many times the probability of the most "
        "likely one is not drawn",
    )
    n: Choices | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**64 - 1)] | None = Field(
        default=None, description="the same answer while nothing else runs beside it"
    )
    stop: Stop | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    user: str | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None

    @property
    def token_limit(self) -> int | None:
        """Tokens that an answer may have; None: as many as fit."""
        return self.max_tokens

    @property
    def tries(self) -> int:
        """How many answers are made for each prompt."""
        return self.n or 1

    def biases(self) -> dict[int, float]:
        """`logit_bias` by token id."""
        return {int(id): bias for id, bias in (self.logit_bias or {}).items()}

    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or [])


class Prediction(Request):
    type: Literal["content"]
    content: Content


class CacheOptions(Request):
    mode: Literal["implicit", "explicit"] | None = None
    ttl: str | None = None


_STORED = "belongs to the list of stored completions; prompts and answers are never stored here"


class ChatRequest(Sampling):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {
        "audio": (),
        "modalities": (["text"],),
        "moderation": (),
        "verbosity": ("medium",),
        "web_search_options": (),
    }
    instead: ClassVar[dict[str, str]] = {
        "audio": "The models here read and write text only.",
        "modalities": "The models here read and write text only.",
        "moderation": "No model here rates content.",
        "verbosity": "Say in a message how long the answer should be, or bound it with "
        "'max_completion_tokens'.",
        "web_search_options": "Nothing here searches the web: offer a search of yours in 'tools'.",
    }
    without_effect: ClassVar[dict[str, str]] = {
        **Sampling.without_effect,
        "metadata": _STORED,
        "prediction": "lets OpenAI answer sooner; answers are the same without it",
        "prompt_cache_key": "a hint to OpenAI's cache; answers are the same without it",
        "prompt_cache_options": "a hint to OpenAI's cache; answers are the same without it",
        "prompt_cache_retention": "a hint to OpenAI's cache; answers are the same without it",
        "reasoning_effort": "given to the chat template; few use it (gpt-oss does)",
        "safety_identifier": Sampling.without_effect["user"],
        "service_tier": "chooses among OpenAI's prices; there is one queue here",
        "store": _STORED,
    }

    messages: Annotated[list[Message], Field(min_length=1, max_length=2048, fail_fast=True)]
    chat_template_kwargs: TemplateKwargs | None = None
    max_completion_tokens: Tokens | None = None
    metadata: Metadata | None = None
    prediction: Prediction | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    reasoning_effort: ReasoningEffort | None = None
    safety_identifier: str | None = None
    service_tier: ServiceTier | None = None
    store: bool | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[Function], Field(max_length=128)] | None = None
    function_call: FunctionChoice | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    @property
    def template_kwargs(self) -> TemplateKwargs:
        """The variables of the chat template that the request gives."""
        effort = {"reasoning_effort": self.reasoning_effort} if self.reasoning_effort else {}
        return {**effort, **(self.chat_template_kwargs or {})}

    @property
    def told(self) -> int | None:
        """How many alternatives are told of each token; None: nothing is told."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


TokenIds = Annotated[list[Annotated[int, Field(ge=0, lt=1 << 31)]], Field(min_length=1)]
_Kind = TypeVar("_Kind")
Prompts = Annotated[list[_Kind], Field(min_length=1, max_length=128)]


class CompletionRequest(Sampling):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {
        "suffix": ("",),
    }
    instead: ClassVar[dict[str, str]] = {
        "suffix": "No model here was trained to fill the gap before a text: say in 'prompt' what "
        "is to stand there.",
    }

    prompt: str | Prompts[str] | TokenIds | Prompts[TokenIds]
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    best_of: Annotated[int, Field(ge=1, le=20)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None

    @property
    def prompts(self) -> list[str] | list[TokenIds]:
        """Each a text or token ids."""
        given: Any = self.prompt
        return [given] if isinstance(given, str) or isinstance(given[0], int) else given

    @property
    def token_limit(self) -> int:
        return 16 if self.max_tokens is None else self.max_tokens

    @property
    def tries(self) -> int:
        """How many answers are made for each prompt; the best `n` of them are given."""
        return self.best_of or self.n or 1


class Usage(Record):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatChoice(Record):
    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason


class ChatCompletion(Record):
    id: str = Field(default_factory=lambda: new_id("chatcmpl-"))
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(default_factory=now)
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: str


class CompletionChoice(Record):
    text: str
    index: int
    logprobs: CompletionLogprobs | None = None
    finish_reason: FinishReason


class Completion(Record):
    id: str = Field(default_factory=lambda: new_id("cmpl-"))
    object: Literal["text_completion"] = "text_completion"
    created: int = Field(default_factory=now)
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    system_fingerprint: str
