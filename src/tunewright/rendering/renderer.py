"""Messages to prompts, examples to supervised rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tokenizers import AddedToken, Tokenizer

from tunewright.errors import BadRequest
from tunewright.rendering import tool_use
from tunewright.rendering.configuration import Configuration, read_tokenizer
from tunewright.rendering.controls import Controls, Marks, fenced, texts
from tunewright.rendering.detokenizer import Detokenizer
from tunewright.rendering.pieces import Pieces
from tunewright.rendering.templates import ChatTemplate
from tunewright.rendering.tool_use import ToolUse
from tunewright.rendering.turns import (
    Dialect,
    Message,
    Tool,
    Turn,
    shown_tools,
    turns,
    uses_tools,
)

_PROBE = "aprobeanswer"


class ChatLike(Protocol):
    @property
    def messages(self) -> Sequence[Message]: ...
    @property
    def tools(self) -> Sequence[Tool]: ...


class CompletionLike(Protocol):
    @property
    def prompt(self) -> str: ...
    @property
    def completion(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One supervised stretch: what serving would be given, and what it should answer.

    `answer` ends with the end-of-turn token, unless `cut`: then prompt and answer together were
    longer than the context and the end was dropped, as OpenAI does.
    """

    prompt: list[int]
    answer: list[int]
    line: int
    cut: bool = False


class _Chat(NamedTuple):
    """A conversation as its template takes it; with the marks that fence what could forge."""

    turns: list[Turn]
    tools: list[Tool]
    marks: Marks | None


class Renderer:
    """The tokenizer and chat template of one base model.

    `context`: the longest sequence in tokens. `stop_ids`: generation ends at any of them.
    `end_id`: the one that ends a supervised answer. `pieces`: the bytes of single tokens.
    `shows_calls`: the special tokens with which the base writes calls appear in its text. Safe to
    share among threads.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: Configuration, source: str | None, *, thinking: bool
    ) -> None:
        self._tokenizer = tokenizer
        self.shows_calls = False
        self.pieces = Pieces(tokenizer)
        self._names = config.special_tokens()
        self._adds_bos = bool(config.tokenizer.get("add_bos_token"))
        self._bos = tokenizer.token_to_id(self._names.get("bos_token", ""))
        self._eos = self._find_eos(config)
        self._template = ChatTemplate(source or "", enable_thinking=thinking, **self._names)
        self.is_chat = source is not None
        self.context = config.context()
        self.stop_ids = frozenset({*config.stop_ids(), self._eos})
        self.end_id = self._find_end() if self.is_chat else self._eos
        self.stop_ids |= {self.end_id}
        self._controls, self._of_assistants = self._find_controls()

    @classmethod
    def load(cls, directory: Path, *, chat: bool, thinking: bool = False) -> "Renderer":
        """Read a Hugging Face model directory; nothing in it is executed but its template.

        `chat` says whether conversations are rendered; a completion base needs no template.
        `thinking` is what the templates of thinking models read as ``enable_thinking``: False asks
        for the answer without a train of thought, in training and in serving alike.
        Raises BadRequest where the tokenizer, the template or an end-of-text token is missing.
        """
        config = Configuration.read(directory)
        source = config.template() if chat else None
        if chat and source is None:
            raise BadRequest(
                f"{directory} has no chat template: put one into chat_template.jinja beside "
                + "tokenizer.json, or add the model as a completion base.",
                param="model",
            )
        return cls(read_tokenizer(directory), config, source, thinking=thinking)

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[int]:
        """The serving prompt of a chat: its rendering, opened for the assistant's answer.

        A message has ``role``, ``content`` (a text or a list of text parts) and what else its
        template reads; ``weight`` is ignored. Messages and `tools` are as OpenAI writes them.
        Raises BadRequest with param ``messages`` where there are none or the template refuses them,
        with code ``tools_not_supported`` where it knows no tools.
        """
        chat = self._guarded(messages, tools)
        return self._encode(self._render(chat.turns, chat.tools, answer=True), chat.marks)

    @cached_property
    def tool_use(self) -> ToolUse | str:
        """How this base calls tools, or the reason why it cannot."""
        return tool_use.find(self._template, self._said, self._shown)

    def completion_prompt(self, text: str) -> list[int]:
        """A plain prompt, with the special tokens that the tokenizer and its config add."""
        ids = self._controls.encode_text(text, special=True)
        if ids and ids[-1] in self.stop_ids:  # some tokenizers close every text
            ids = ids[:-1]
        if self._adds_bos and self._bos is not None and ids[:1] != [self._bos]:
            ids = [self._bos, *ids]
        return ids or [self._eos if self._bos is None else self._bos]

    def rows(self, example: ChatLike | CompletionLike, line: int) -> list[Row]:
        """The supervised stretches of an example: one per assistant turn, or one completion.

        A turn with ``weight`` 0 is context only. A stretch whose prompt alone fills the context
        gives no row. Raises BadRequest where the template refuses the conversation.
        """
        rows = (self.fit(row) for row in self.whole_rows(example, line))
        return [row for row in rows if row]

    def whole_rows(self, example: ChatLike | CompletionLike, line: int) -> list[Row]:
        """The same, however long they are: `fit` cuts them to the context."""
        return [Row(prompt, answer, line) for prompt, answer in self._pairs(example)]

    def fit(self, row: Row) -> Row | None:
        """The row within the context; None where its prompt alone fills that."""
        room = self.context - len(row.prompt)
        if room <= 0:
            return None
        if len(row.answer) <= room:
            return row
        return Row(row.prompt, row.answer[:room], row.line, cut=True)

    def spells_control(self, text: str) -> bool:
        """Whether `text` spells a special token of the base: it is rendered as plain text."""
        return self._controls.spelled(text)

    def count(self, text: str) -> int:
        """Tokens of `text` alone, without special tokens."""
        return len(self._controls.encode_text(text, special=False))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def detokenizer(self) -> Detokenizer:
        use = self.tool_use if self.shows_calls else None
        return Detokenizer(
            self._tokenizer, use.special.values() if isinstance(use, ToolUse) else ()
        )

    def _pairs(self, example: Any) -> Iterable[tuple[list[int], list[int]]]:
        if self.is_chat:
            return self._turns(example.messages, example.tools)
        answer = self._controls.encode_text(example.completion, special=False)
        return [(self.completion_prompt(example.prompt), [*answer, self._eos])]

    def _turns(
        self, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> Iterator[tuple[list[int], list[int]]]:
        chat = self._guarded(messages, tools)
        for index, message in enumerate(messages):
            if message["role"] == "assistant" and message.get("weight") != 0:
                prompt = self.prompt(messages[:index], tools)
                yield prompt, self._answer(chat._replace(turns=chat.turns[: index + 1]))

    def _answer(self, chat: _Chat) -> list[int]:
        """The ids of the last turn, encoded apart from its prompt as serving will produce them."""
        ids = self._encode(self._said(chat.turns, chat.tools), chat.marks)
        end = next((at for at, id in enumerate(ids) if id in self.stop_ids), None)
        return [*ids, self.end_id] if end is None else ids[: end + 1]

    def _said(self, turns: Sequence[Turn], tools: Sequence[Tool]) -> str:
        """The last turn as the template writes it after the prompt of its answer."""
        before, last = turns[:-1], turns[-1]
        prompt = self._render(before, tools, answer=True)
        whole = self._render(turns, tools, answer=False)
        if whole.startswith(prompt):
            return whole.removeprefix(prompt)
        # A thinking template opens with more than it keeps.
        if "tool_calls" not in last:
            return last["content"]
        plain = {"role": last["role"], "content": _PROBE}
        opening = self._render([*before, plain], tools, answer=False).partition(_PROBE)[0]
        if not whole.startswith(opening):
            raise BadRequest(
                "The model's chat template writes a call apart from its message's opening.",
                param="messages",
            )
        return whole.removeprefix(opening)

    def _shown(self, text: str) -> tuple[str, dict[str, int]]:
        """What a client sees of an answer with calls, and the ids of the marks in it."""
        ids = self._encode(text, None)
        end = next((at for at, id in enumerate(ids) if id in self.stop_ids), len(ids))
        added = self._tokenizer.get_added_tokens_decoder()
        special = {added[id].content: id for id in ids[:end] if id in added and _marks(added[id])}
        reading = Detokenizer(self._tokenizer, special.values())
        return reading.push(ids[:end]) + reading.finish(), special

    def _render(self, turns: Sequence[Turn], tools: Sequence[Tool], *, answer: bool) -> str:
        return self._template.render(turns, answer=answer, tools=tools)

    def _guarded(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> _Chat:
        """The messages as turns; fenced, with the marks used, where their text could forge."""
        try:
            return self._guard(messages, tools)
        except RecursionError:
            what = "The parameters of a tool or the arguments of a call are nested too deeply."
            raise BadRequest(what, param="tools" if tools else "messages") from None

    def _guard(self, messages: Sequence[Message], tools: Sequence[Tool]) -> _Chat:
        if not messages:
            raise BadRequest("messages must hold at least one message.", param="messages")
        made = [self._turn(turn) for turn in turns(messages, self._dialect(messages, tools))]
        shown = shown_tools(tools)
        found = [*texts(made), *texts(shown)]
        if not any(map(self._controls.near, found)):
            return _Chat(made, shown, None)
        marks = Marks([*found, self._template.source])
        return _Chat(
            [self._fenced(turn, marks) for turn in made],
            [fenced(tool, self._controls, marks) for tool in shown],
            marks,
        )

    def _dialect(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Dialect:
        if not uses_tools(messages, tools):
            return Dialect()
        if isinstance(self.tool_use, ToolUse):
            return self.tool_use.dialect
        param = "tools" if tools else "messages"
        raise BadRequest(self.tool_use, param=param, code="tools_not_supported")

    def _turn(self, turn: Turn) -> Turn:
        if turn.get("role") == "developer" and "developer" not in self._template.source:
            return {**turn, "role": "system"}  # OpenAI's newer name for it
        return turn

    def _fenced(self, turn: Turn, marks: Marks) -> Turn:
        said = self._of_assistants if turn.get("role") == "assistant" else self._controls
        made = {
            key: value if key == "role" else fenced(value, said, marks)
            for key, value in turn.items()
        }
        if calls := turn.get("tool_calls"):  # what is called with is data, whoever calls
            made["tool_calls"] = fenced(calls, self._controls, marks)
        return made

    def _encode(self, rendered: str, marks: Marks | None) -> list[int]:
        if marks is None:  # one pass over the plain text, as transformers does
            return self._tokenizer.encode(rendered, add_special_tokens=False).ids
        return self._controls.encode(rendered, marks)

    def _find_eos(self, config: Configuration) -> int:
        named = self._tokenizer.token_to_id(self._names.get("eos_token", ""))
        for id in [named, *config.stop_ids()]:
            if id is not None:
                return id
        raise BadRequest(
            f"{config.directory} names no end-of-text token: set eos_token in "
            + "tokenizer_config.json or eos_token_id in generation_config.json.",
            param="model",
        )

    def _find_controls(self) -> tuple[Controls, Controls]:
        """The control tokens of all text, and the fewer of what assistants say.

        All: special and stop tokens, and the added tokens that the template itself writes. What an
        assistant said may hold the latter: ``<think>`` is a token that the model wrote.
        """
        added = self._tokenizer.get_added_tokens_decoder().items()
        hard = {t.content: id for id, t in added if t.special or id in self.stop_ids}
        soft = {t.content: id for id, t in added if t.content in self._template.source}
        # Whitespace tokens (Gemma's newlines) are ordinary text in every template.
        soft = {word: id for word, id in soft.items() if not word.isspace()}
        return Controls(self._tokenizer, soft | hard), Controls(self._tokenizer, hard)

    def _find_end(self) -> int:
        """The control token that the template writes after an assistant's text."""
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": _PROBE}]
        tail = self._template.render(turns, answer=False).rpartition(_PROBE)[2]
        ids = self._tokenizer.encode(tail, add_special_tokens=False).ids
        added = self._tokenizer.get_added_tokens_decoder().items()
        # Spelled out in the tail: an unknown character is a special token too.
        ends = {id for id, t in added if t.content in tail and (t.special or id in self.stop_ids)}
        return next((id for id in ids if id in ends), self._eos)


def _marks(token: AddedToken) -> bool:
    """Whether no text spells a token: the rule by which llguidance reads tokenizers too."""
    return token.special or (token.content.startswith("<") and token.content.endswith(">"))
