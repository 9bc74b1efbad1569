"""Which tokens of a base control it: what ends a text, what ends an answer, what no text may be."""

from tokenizers import AddedToken, Tokenizer

from tunewright.errors import BadRequest
from tunewright.rendering.configuration import Configuration
from tunewright.rendering.controls import Controls
from tunewright.rendering.templates import ChatTemplate

_PROBE = "aprobeanswer"


def end_of_text(tokenizer: Tokenizer, config: Configuration) -> int:
    """Raises BadRequest where no file names one that the tokenizer has."""
    named = tokenizer.token_to_id(config.special_tokens().get("eos_token", ""))
    for id in [named, *config.stop_ids()]:
        if id is not None:
            return id
    raise BadRequest(
        f"{config.directory} names no end-of-text token: set eos_token in "
        + "tokenizer_config.json or eos_token_id in generation_config.json.",
        param="model",
    )


def end_of_answer(
    tokenizer: Tokenizer, template: ChatTemplate, stop_ids: frozenset[int]
) -> int | None:
    """The control token that the template writes after an assistant's text; None where none."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": _PROBE}]
    tail = template.render(turns, answer=False).rpartition(_PROBE)[2]
    ids = tokenizer.encode(tail, add_special_tokens=False).ids
    added = tokenizer.get_added_tokens_decoder().items()
    # Spelled out in the tail: an unknown character is a special token too.
    ends = {id for id, t in added if t.content in tail and (t.special or id in stop_ids)}
    return next((id for id in ids if id in ends), None)


def controls(
    tokenizer: Tokenizer, template: ChatTemplate, stop_ids: frozenset[int]
) -> tuple[Controls, Controls]:
    """The control tokens of all text, and the fewer of what assistants say.

    All: special and stop tokens, and the added tokens that the template itself writes. What an
    assistant said may hold the latter: ``<think>`` is a token that the model wrote.
    """
    added = tokenizer.get_added_tokens_decoder().items()
    hard = {t.content: id for id, t in added if t.special or id in stop_ids}
    soft = {t.content: id for id, t in added if t.content in template.source}
    # Whitespace tokens (Gemma's newlines) are ordinary text in every template.
    soft = {word: id for word, id in soft.items() if not word.isspace()}
    return Controls(tokenizer, soft | hard), Controls(tokenizer, hard)


def marks_calls(token: AddedToken) -> bool:
    """Whether no text spells a token: the rule by which llguidance reads tokenizers too."""
    return token.special or (token.content.startswith("<") and token.content.endswith(">"))
