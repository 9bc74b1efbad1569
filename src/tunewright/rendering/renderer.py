"""Messages to prompts, examples to supervised rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from tokenizers import Tokenizer

from tunewright.errors import BadRequest
from tunewright.records.template_kwargs import Rendering
from tunewright.rendering import special, tool_use
from tunewright.rendering.configuration import Configuration, read_tokenizer
from tunewright.rendering.controls import Marks, fenced, texts
from tunewright.rendering.detokenizer import Detokenizer
from tunewright.rendering.dialogue import Chat, Dialogue
from tunewright.rendering.pieces import Pieces
from tunewright.rendering.room import Room
from tunewright.rendering.rows import ChatLike, CompletionLike, Row
from tunewright.rendering.templates import ChatTemplate
from tunewright.rendering.tool_use import ToolUse
from tunewright.rendering.traits import SWITCHES, Traits, arrange, is_system
from tunewright.rendering.turns import (
    Dialect,
    Message,
    Tool,
    Turn,
    is_reasoned,
    shown_tools,
    thought,
    turns,
    uses_tools,
)

_KEPT = 64  # ways to use a template, whose probes need not be rendered for each request anew
_LONGEST_KEPT = 1_000  # bytes of kwargs
_NAMED = ("system", "user", "assistant")  # roles whose name says who speaks


class _Chat(NamedTuple):
    """A conversation as its template takes it; with the marks that fence what could forge."""

    chat: Chat
    marks: Marks | None


class Renderer:
    """The tokenizer and chat template of one base model.

    `context`: the longest sequence in tokens. `stop_ids`: generation ends at any of them.
    `end_id`: the one that ends a supervised answer. `pieces`: the bytes of single tokens.
    `shows_calls`: the special tokens with which the base writes calls appear in its text.
    `kwargs`: what was given for the template's variables. Safe to share among threads.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: Configuration,
        source: str | None,
        *,
        thinking: bool | None,
    ) -> None:
        self._tokenizer = tokenizer
        self.shows_calls = False
        self.pieces = Pieces(tokenizer)
        self._names = config.special_tokens()
        self._adds_bos = bool(config.tokenizer.get("add_bos_token"))
        self._bos = tokenizer.token_to_id(self._names.get("bos_token", ""))
        self._eos = special.end_of_text(tokenizer, config)
        self._plain = ChatTemplate(source or "", enable_thinking=False, **self._names)
        self.is_chat = source is not None
        self.context = config.context()
        self.room = Room(tokenizer, self.context, "messages" if self.is_chat else "prompt")
        self.stop_ids = frozenset({*config.stop_ids(), self._eos})
        end = special.end_of_answer(tokenizer, self._plain, self.stop_ids) if source else None
        self.end_id = self._eos if end is None else end
        self.stop_ids |= {self.end_id}
        found = special.controls(tokenizer, self._plain, self.stop_ids)
        self._controls, self._of_assistants = found
        self._moves_system = True
        self.kwargs: Mapping[str, Any] = {} if thinking is None else {SWITCHES[0]: thinking}
        self.traits = Traits(self._plain)
        self._dialogue = lru_cache(maxsize=_KEPT)(self._make_dialogue)  # shared by all copies
        self._speak(None, trained=False)
        self._tool_use = cache(self._find_tool_use)  # once for this and all copies

    @classmethod
    def load(cls, directory: Path, *, chat: bool, thinking: bool | None = None) -> "Renderer":
        """Read a Hugging Face model directory; nothing in it is executed but its template.

        `chat` says whether conversations are rendered; a completion base needs no template.
        `thinking` is what the templates of thinking models read as ``enable_thinking``: False asks
        for the answer without a train of thought, in training and in serving alike. None is False,
        but for examples that hold such a train.
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

    def using(
        self,
        kwargs: Mapping[str, Any] | None = None,
        *,
        at: datetime | None = None,
        trained: bool | None = None,
        moves_system: bool | None = None,
    ) -> "Renderer":
        """The same base, its template used otherwise; what is None stays.

        `kwargs`: values of the template's variables, as vLLM's ``chat_template_kwargs``. `at`: the
        date that it writes. `trained`: prompts are those that training saw (`Dialogue`).
        `moves_system`: a system message that the template does not take stands before the user's
        text; else it is refused.
        """
        made = copy(self)
        made.kwargs = {**self.kwargs, **(kwargs or {})}
        if moves_system is not None:
            made._moves_system = moves_system
        made._speak(at or self._at, trained=self._trained if trained is None else trained)
        return made

    def rendered_as(self, rendering: Rendering | None) -> "Renderer":
        """As training used it for the model at hand; None: as the base is used."""
        if rendering is None:
            return self
        at = datetime.fromisoformat(rendering.date)
        return self.using(rendering.kwargs, at=at, trained=True)

    def _speak(self, at: datetime | None, *, trained: bool) -> None:
        self._at, self._trained = at, trained
        kwargs = orjson.dumps(dict(self.kwargs))
        make = self._dialogue if len(kwargs) <= _LONGEST_KEPT else self._make_dialogue
        self._asking, self._teaching = make(kwargs, at, trained), make(kwargs, at, True)
        self._template = self._asking.template

    def _make_dialogue(self, kwargs: bytes, at: datetime | None, trained: bool) -> Dialogue:
        template = self._plain.using(orjson.loads(kwargs), at)
        return Dialogue(template, self.traits, trained=trained)

    def prompt(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, bounded: bool = False
    ) -> list[int]:
        """The serving prompt of a chat: its rendering, opened for the assistant's answer.

        bounded: one that is surely longer than the context is refused without being tokenized.

        A message has ``role``, ``content`` (a text or a list of text parts) and what else its
        template reads; ``weight`` is ignored. Messages and `tools` are as OpenAI writes them.
        Raises BadRequest with param ``messages`` where there are none or the template refuses them,
        with code ``tools_not_supported`` where it knows no tools.
        """
        if not messages:
            raise BadRequest("messages must hold at least one message.", param="messages")
        if bounded:
            self.room.check_size(sum(map(len, texts([*messages, *tools]))))
        made = self._guarded(messages, tools)
        rendered = self._asking.prompt(made.chat)
        if bounded:
            self.room.check(rendered)
        return self._encode(rendered, made.marks)

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """What `prompt` makes ids of, for messages that spell no control token."""
        return self._asking.prompt(self._guarded(messages).chat)

    @property
    def tool_use(self) -> ToolUse | str:
        """How this base calls tools, or the reason why it cannot."""
        return self._tool_use()

    def _find_tool_use(self) -> ToolUse | str:
        return tool_use.find(self._plain, self._teaching, self._shown)

    @property
    def switches_thinking(self) -> Mapping[str, Any]:
        """The kwargs with which examples that hold a train of thought are rendered; none where the
        template has no switch for it or does not show it, or where `kwargs` say how."""
        switch = self.traits.switch
        if switch is None or switch in self.kwargs:
            return {}
        return {switch: True} if self.traits.shows_reasoning else {}

    def notices(self, messages: Sequence[Message]) -> list[str]:
        """The codes of what the model is not shown, or is shown otherwise than it was written."""
        found = [("name_not_shown", any(map(self._hides_name, messages)))]
        found.append(("reasoning_not_shown", any(map(self._hides_reasoning, messages))))
        roles = [self._turn({"role": message["role"], "content": ""}) for message in messages]
        changes = arrange(roles, self.traits, for_prompt=False).changes
        return [code for code, holds in found if holds] + sorted(changes)

    def _hides_name(self, message: Message) -> bool:
        role = "system" if is_system(message["role"]) else message["role"]
        return bool(message.get("name")) and role in _NAMED and role not in self.traits.named

    def _hides_reasoning(self, message: Message) -> bool:
        if thought(message):
            return self.traits.reasoning is None
        return is_reasoned(message) and not self.traits.reads_inline_reasoning

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

    def whole_rows(self, example: ChatLike | CompletionLike, line: int) -> Iterator[Row]:
        """The same one by one, however long they are: `fit` cuts them to the context."""
        return (Row(prompt, answer, line) for prompt, answer in self._pairs(example))

    def fit(self, row: Row) -> Row | None:
        """The row within the context; None where its prompt alone fills that."""
        room = self.context - len(row.prompt)
        if room <= 0:
            return None
        if len(row.answer) <= room:
            return row
        return Row(row.prompt, row.answer[:room], row.line, cut=True)

    @property
    def tokens(self) -> int:
        """One more than the highest id that the tokenizer gives."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def spells_control(self, text: str, *, answered: bool = False) -> bool:
        """Whether `text` spells a special token of the base and is rendered as plain text.
        `answered`: it is what an assistant said, which may hold those that a model writes."""
        return (self._of_assistants if answered else self._controls).spelled(text)

    def unknown(self, ids: Sequence[int]) -> int:
        """How many of `ids` stand for text that the base cannot read."""
        unknown = self.pieces.unknown
        return 0 if unknown is None or unknown in self.stop_ids else ids.count(unknown)

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
        learned = filter(_is_learned, messages)
        if self.switches_thinking and any(map(is_reasoned, learned)):
            yield from self.using(self.switches_thinking)._turns(messages, tools)
            return
        made = self._guarded(messages, tools)
        encode = self._controls.encoding(made.marks)
        ends = [at for at, message in enumerate(messages, 1) if _is_learned(message)]
        for end in ends:
            self._refuse_unthinking(messages[end - 1])
        for before, said in self._teaching.pairs(made.chat, ends):
            yield self._pair(encode(before), self._encode(said, made.marks))

    def _pair(self, prompt: list[int], ids: list[int]) -> tuple[list[int], list[int]]:
        """The answer is encoded apart, as serving will produce it."""
        end = next((at for at, id in enumerate(ids) if id in self.stop_ids), None)
        answer = [*ids, self.end_id] if end is None else ids[: end + 1]
        # A first token has nothing before it from which it could be foretold.
        return (prompt, answer) if prompt else (answer[:1], answer[1:])

    def _refuse_unthinking(self, message: Message) -> None:
        switch = self.traits.switch
        if switch and is_reasoned(message) and self.kwargs.get(switch) is False:
            raise BadRequest(
                "The answer contains reasoning, and chat_template_kwargs turns that off "
                f"({switch}: false). Turn it on, or remove the reasoning from the answer.",
                param="messages",
                code="template_refused",
            )

    def _shown(self, text: str) -> tuple[str, dict[str, int]]:
        """What a client sees of an answer with calls, and the ids of the marks in it."""
        ids = self._encode(text, None)
        end = next((at for at, id in enumerate(ids) if id in self.stop_ids), len(ids))
        added = self._tokenizer.get_added_tokens_decoder()
        marks = [id for id in ids[:end] if id in added and special.marks_calls(added[id])]
        reading = Detokenizer(self._tokenizer, marks)
        shown = reading.push(ids[:end]) + reading.finish()
        return shown, {added[id].content: id for id in marks}

    def _guarded(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> _Chat:
        """The messages as turns; fenced, with the marks used, where their text could forge."""
        try:
            return self._guard(messages, tools)
        except RecursionError:
            what = "The parameters of a tool or the arguments of a call are nested too deeply."
            raise BadRequest(what, param="tools" if tools else "messages") from None

    def _guard(self, messages: Sequence[Message], tools: Sequence[Tool]) -> _Chat:
        dialect = self._dialect(messages, tools)
        made = [self._turn(turn) for turn in turns(messages, dialect, self.traits.reasoning)]
        self._refuse_system(made)
        shown = shown_tools(tools)
        kwargs = {k: v for k, v in self.kwargs.items() if isinstance(v, str)}
        found = [*texts(made), *texts(shown), *texts(kwargs)]
        if not any(map(self._controls.near, found)):
            return _Chat(Chat(made, shown), None)
        marks = Marks([*found, self._plain.source])
        chat = Chat(
            [self._fenced(turn, marks) for turn in made],
            [fenced(tool, self._controls, marks) for tool in shown],
            {k: self._controls.fence(v, marks) for k, v in kwargs.items()},
        )
        return _Chat(chat, marks)

    def _refuse_system(self, made: Sequence[Turn]) -> None:
        if self._moves_system or not any(is_system(turn["role"]) for turn in made):
            return
        if "system_moved" in arrange(made, self.traits, for_prompt=False).changes:
            raise BadRequest(
                "The model's chat template has no place for this system message, and the setting "
                'system_role = "refuse" forbids to move it. Put its text before the user\'s, or '
                'allow that with system_role = "move".',
                param="messages",
                code="template_refused",
            )

    def _dialect(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Dialect:
        if not uses_tools(messages, tools):
            return Dialect()
        if isinstance(self.tool_use, ToolUse):
            return self.tool_use.dialect
        param = "tools" if tools else "messages"
        raise BadRequest(self.tool_use, param=param, code="tools_not_supported")

    def _turn(self, turn: Turn) -> Turn:
        if turn.get("role") == "developer" and "developer" not in self._plain.source:
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
        return self._controls.encode(rendered, marks)


def _is_learned(message: Message) -> bool:
    return message["role"] == "assistant" and message.get("weight") != 0
