"""Messages to prompts, examples to supervised rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tokenizers import Tokenizer

from tunewright.errors import BadRequest
from tunewright.rendering.configuration import Configuration, read_tokenizer
from tunewright.rendering.controls import Controls, Marks
from tunewright.rendering.detokenizer import Detokenizer
from tunewright.rendering.templates import ChatTemplate

Message: TypeAlias = Mapping[str, Any]
Turn: TypeAlias = dict[str, Any]  # a message as templates take it


class ChatLike(Protocol):
    @property
    def messages(self) -> Sequence[Message]: ...


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


def _plain(content: Any) -> Any:
    """A list of text parts as one text: few templates know lists."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content)
    return content


class Renderer:
    """The tokenizer and chat template of one base model.

    `context`: the longest sequence in tokens. `stop_ids`: generation ends at any of them.
    `end_id`: the one that ends a supervised answer. Safe to share among threads.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: Configuration, source: str | None, *, thinking: bool
    ) -> None:
        self._tokenizer = tokenizer
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

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The serving prompt of a chat: its rendering, opened for the assistant's answer.

        A message has ``role``, ``content`` (a text or a list of text parts) and what else its
        template reads; ``weight`` is ignored. Raises BadRequest with param ``messages`` where there
        are none or the template refuses them.
        """
        turns, marks = self._guarded(messages)
        return self._encode(self._template.render(turns, answer=True), marks)

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
        rows = (self._fit(prompt, answer, line) for prompt, answer in self._pairs(example))
        return [row for row in rows if row]

    def count(self, text: str) -> int:
        """Tokens of `text` alone, without special tokens."""
        return len(self._controls.encode_text(text, special=False))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def detokenizer(self) -> Detokenizer:
        return Detokenizer(self._tokenizer)

    def _pairs(self, example: Any) -> Iterable[tuple[list[int], list[int]]]:
        if self.is_chat:
            return self._turns(example.messages)
        answer = self._controls.encode_text(example.completion, special=False)
        return [(self.completion_prompt(example.prompt), [*answer, self._eos])]

    def _turns(self, messages: Sequence[Message]) -> Iterator[tuple[list[int], list[int]]]:
        turns, marks = self._guarded(messages)
        for index, message in enumerate(messages):
            if message["role"] == "assistant" and message.get("weight") != 0:
                yield self.prompt(messages[:index]), self._answer(turns[: index + 1], marks)

    def _answer(self, turns: Sequence[Turn], marks: Marks | None) -> list[int]:
        """The ids of the last turn, encoded apart from its prompt as serving will produce them."""
        prompt = self._template.render(turns[:-1], answer=True)
        whole = self._template.render(turns, answer=False)
        if not whole.startswith(prompt):  # a thinking template opens with more than it keeps
            return [*self._encode(turns[-1]["content"], marks), self.end_id]
        ids = self._encode(whole.removeprefix(prompt), marks)
        end = next((at for at, id in enumerate(ids) if id in self.stop_ids), None)
        return [*ids, self.end_id] if end is None else ids[: end + 1]

    def _fit(self, prompt: list[int], answer: list[int], line: int) -> Row | None:
        room = self.context - len(prompt)
        if room <= 0:
            return None
        return Row(prompt, answer[:room], line, cut=len(answer) > room)

    def _guarded(self, messages: Sequence[Message]) -> tuple[list[Turn], Marks | None]:
        """The messages as turns; fenced, with the marks used, where their text could forge."""
        if not messages:
            raise BadRequest("messages must hold at least one message.", param="messages")
        turns = [self._turn(message) for message in messages]
        texts = [value for turn in turns for value in turn.values() if isinstance(value, str)]
        if not any(map(self._controls.near, texts)):
            return turns, None
        marks = Marks([*texts, self._template.source])
        return [self._fenced(turn, marks) for turn in turns], marks

    def _turn(self, message: Message) -> Turn:
        # As transformers: templates print a null as "None" and handle an absent key.
        turn = {k: _plain(v) for k, v in message.items() if v is not None and k != "weight"}
        if turn.get("role") == "developer" and "developer" not in self._template.source:
            turn["role"] = "system"  # OpenAI's newer name for it
        return turn

    def _fenced(self, turn: Turn, marks: Marks) -> Turn:
        controls = self._of_assistants if turn.get("role") == "assistant" else self._controls
        return {
            key: controls.fence(value, marks) if isinstance(value, str) and key != "role" else value
            for key, value in turn.items()
        }

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
        probe = "aprobeanswer"
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": probe}]
        tail = self._template.render(turns, answer=False).rpartition(probe)[2]
        ids = self._tokenizer.encode(tail, add_special_tokens=False).ids
        added = self._tokenizer.get_added_tokens_decoder().items()
        # Spelled out in the tail: an unknown character is a special token too.
        ends = {id for id, t in added if t.content in tail and (t.special or id in self.stop_ids)}
        return next((id for id in ids if id in ends), self._eos)
