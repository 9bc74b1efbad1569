"""Which model answers a request, and what a client is told of it."""

from collections.abc import Sequence
from typing import NamedTuple

from tunewright import builtin
from tunewright.errors import BadRequest
from tunewright.records.models import Weights


class Answering(NamedTuple):
    """What answers a request: the name that says its base, and a warning where that is a built-in
    one and the request's own name does not say so."""

    model: str
    warning: str | None

    def noticing(self, codes: Sequence[str]) -> "Answering":
        """The same with what the model is shown otherwise than it was sent, by the codes of
        `Renderer.notices`."""
        said = [self.warning] if self.warning else []
        said += [REMARKS[code] for code in codes]
        return self._replace(warning=" ".join(said) or None)


REMARKS = {
    "unknown_tokens": "The model does not know some characters of the text.",
    "name_not_shown": "The chat template does not show names.",
    "reasoning_not_shown": "The chat template leaves out the reasoning of earlier answers.",
    "system_moved": "The chat template takes no system message there: it stands before the user's "
    "text.",
    "systems_joined": "The system messages became one.",
    "users_joined": "The chat template wants speakers in turn: messages in a row became one.",
    "user_inserted": "The chat template wants a user before each answer: an empty one was put in.",
}


def plain_name(weights: Weights, name: str | None = None) -> str:
    """`name` (of these weights; default: their own), with the real base in it."""
    name = name or weights.id
    if not is_tuned(name):
        return weights.base
    return ":".join(["ft", weights.base, *name.split(":")[2:]])


def is_tuned(name: str) -> bool:
    """Whether a model that a job made, or a checkpoint of one, may be called so."""
    return name.startswith("ft:")


def check_vocabulary(asked: str, weights: Weights, param: str) -> None:
    """Raises BadRequest where `asked` does not say which base answers: under one of OpenAI's names,
    token ids are of a vocabulary in which they mean other tokens."""
    base = plain_name(weights)
    if base != asked:
        raise BadRequest(
            f"'{param}' holds token ids, and those of {asked} mean other tokens here: it stands "
            f"for `{base}`, which has a vocabulary of its own. Use ids of that model's "
            f"tokenizer and name it: model='{base}'.",
            param=param,
            code="foreign_token_ids",
        )


def answering(asked: str, weights: Weights) -> Answering:
    model, remark = plain_name(weights), builtin.remark(weights.base)
    if model == asked or remark is None:
        return Answering(model, None)
    return Answering(model, f"Answered by {weights.base}, {remark}. {REMEDY}")


REMEDY = (
    "For real work the operator adds a base (tunewright models add) and maps this name to it in "
    "settings.toml, under [aliases]."
)
