"""Which prompt of a model goes before the inputs of a request."""

from typing import Literal

from tunewright.embedding.embedder import Declared
from tunewright.errors import BadRequest
from tunewright.resources import aliases

# How makers of models call the prompt for one side of a search; the first that a model has.
_SIDES = {"query": ("query",), "document": ("document", "passage", "corpus")}


def prompt_for(model: str, declared: Declared, name: str | None = None) -> str:
    """`name`: what was asked for; empty: none. Else by the first-generation name of OpenAI's that
    was called, which is for one side of a search; else the model's default, if it has one.

    Raises BadRequest for a name that the model does not have.
    """
    prompts = declared.prompts
    if name:
        if name not in prompts:
            raise _unknown(model, name, prompts)
        return prompts[name]
    if name is not None:
        return ""
    if side := aliases.side(model):
        return next((prompts[each] for each in _SIDES[side] if each in prompts), "")
    return prompts.get(declared.default_prompt or "", "")


def prompt_of_side(declared: Declared, side: Literal["query", "document"]) -> str:
    """What goes before a query, or before what is to be found by one; else the model's default."""
    prompts = declared.prompts
    default = prompts.get(declared.default_prompt or "", "")
    return next((prompts[each] for each in _SIDES[side] if each in prompts), default)


def _unknown(model: str, name: str, prompts: dict[str, str]) -> BadRequest:
    known = f"It has: {', '.join(map(repr, prompts))}." if prompts else "It has none."
    return BadRequest(
        f"`{model}` has no prompt {name!r}. {known} Leave `prompt_name` out, or write the prompt "
        "before your texts.",
        param="prompt_name",
        code="unknown_prompt",
    )
