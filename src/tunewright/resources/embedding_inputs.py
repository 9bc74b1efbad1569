"""From what a client sent to token ids of the model, within OpenAI's limits and bounded memory."""

from collections.abc import Callable
from typing import cast

from tunewright.embedding.embedder import Embedder
from tunewright.embedding.prompts import Prompt
from tunewright.errors import BadRequest
from tunewright.records.embeddings import (
    MAX_TOKENS_EACH,
    MAX_TOKENS_TOGETHER,
    EmbeddingRequest,
    check_tokens,
    invalid_input,
    too_long,
    too_many,
)
from tunewright.resources import aliases, foreign_ids
from tunewright.resources.foreign_ids import OpenAIs
from tunewright.stepwise import Steps, batches

# No token of OpenAI's is longer than 128 bytes.
_LONGEST = 128 * MAX_TOKENS_EACH
_PIECE = 1 << 16  # characters tokenized at once: a tokenizer takes up to 465 bytes for each
_TOLERANCE = 2048  # tokens that cutting a text into pieces may add
# A token of OpenAI's can be 64 dashes, each of them a token of another model's.
_MOST_OWN = 4 * MAX_TOKENS_TOGETHER


def tokens(
    request: EmbeddingRequest, embedder: Embedder, openais: OpenAIs, prompt: Prompt
) -> Steps[tuple[list[list[int]], list[list[int]], list[int]]]:
    """(ids of the prompt before it, ids of the model, tokens to count) of every input, by steps.

    Ids in OpenAI's vocabulary count as what the client sent: it cut its texts by them.
    """
    if isinstance(request.inputs[0], str):
        heads, ids = yield from _tokenized(cast(list[str], request.inputs), embedder, prompt)
        counts = [len(each) for each in ids]
        check_tokens(counts)
        return heads, ids, counts
    given = cast(list[list[int]], request.inputs)
    own = yield from _own_ids(request.model, given, embedder, openais)
    return [prompt.ids] * len(own), own, [len(each) for each in given]


def _own_ids(
    model: str, given: list[list[int]], embedder: Embedder, openais: OpenAIs
) -> Steps[list[list[int]]]:
    name = aliases.vocabulary(model)
    if name is None:
        size = embedder.vocabulary
        if (yield from foreign_ids.look_foreign(given, embedder, openais)):
            raise _foreign(model)
        _check_known(given, lambda id: id < size, f"the {size} ids of `{model}`")
        return given
    vocabulary = openais.vocabulary(name)
    _check_known(given, vocabulary.__contains__, f"the vocabulary {name}")
    found: list[list[int]] = []
    total = 0
    for ids in given:
        found += yield from _piecewise(vocabulary.decode(ids), embedder)
        total += len(found[-1])
        if total > _MOST_OWN:
            raise too_many(f"at least {total} of `{model}`'s own")
    return found


def _piecewise(text: str, embedder: Embedder) -> Steps[list[list[int]]]:
    if len(text) > _PIECE:
        yield from _check_long(text, embedder, _MOST_OWN)
    yield
    return embedder.tokenize([text])


def _foreign(model: str) -> BadRequest:
    """LangChain's default is to send them, whatever the model."""
    return BadRequest(
        f"'$.input' is invalid. These token ids are of OpenAI's {foreign_ids.OPENAI}, and "
        f"`{model}` has a vocabulary of its own. Change one line of your code: in LangChain, "
        "OpenAIEmbeddings(..., check_embedding_ctx_length=False); elsewhere, send texts instead of "
        "token ids. Or use a name of OpenAI's, such as text-embedding-ada-002, under which these "
        "ids are understood.",
        param="input",
        code="foreign_token_ids",
    )


def unknown_tokens(
    request: EmbeddingRequest, ids: list[list[int]], embedder: Embedder
) -> tuple[list[int], list[int]]:
    """(unknown tokens of every input, the inputs that hold nothing which the model can read).

    A text of blanks alone is none of those: nothing of it is lost.
    """
    unknown = embedder.unknown
    counts = [0 if unknown is None else each.count(unknown) for each in ids]
    nothing = [at for at, each in enumerate(ids) if counts[at] == len(each)]
    return counts, [at for at in nothing if ids[at] or _says_something(request.inputs[at])]


def _says_something(given: str | list[int]) -> bool:
    return isinstance(given, str) and bool(given.strip())


def unreadable(request: EmbeddingRequest, places: list[int], base: str) -> BadRequest:
    """`places`: the inputs of which nothing can be read."""
    first = "input" if len(request.inputs) == 1 else f"input[{places[0]}]"
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return BadRequest(
        f"'$.{first}'{more} contains no token that `{base}` knows, so its vector would be the same "
        "as that of every other such text. Use a multilingual embedding model for such texts, or "
        'leave them out. With the setting unknown_text = "allow" they are embedded anyway.',
        param=first,
        code="unreadable_input",
    )


def _check_known(given: list[list[int]], known: Callable[[int], bool], where: str) -> None:
    unknown = next((id for ids in given for id in ids if not known(id)), None)
    if unknown is not None:
        raise invalid_input(f"The token {unknown} is not among {where}.")


def _tokenized(
    texts: list[str], embedder: Embedder, prompt: Prompt
) -> Steps[tuple[list[list[int]], list[list[int]]]]:
    """Of each text the ids of the prompt before it, and its own. Stops where the limits are passed
    for sure: a body of 30 MB would take gigabytes."""
    if sum(map(len, texts)) > _LONGEST * MAX_TOKENS_TOGETHER // MAX_TOKENS_EACH:
        raise too_many(f"more than {MAX_TOKENS_TOGETHER}")
    heads: list[list[int]] = []
    found: list[list[int]] = []
    total = 0
    for batch in batches(texts, _PIECE):
        if len(batch) == 1:
            yield from _check_long(batch[0], embedder)
        yield
        before, ids = prompt.tokenize(embedder, batch)
        total += sum(map(len, ids))
        heads += before
        found += ids
        if total > MAX_TOKENS_TOGETHER:
            check_tokens([len(each) for each in found if len(each) > MAX_TOKENS_EACH])
            raise too_many(str(total) if len(found) == len(texts) else f"at least {total}")
    return heads, found


def _check_long(text: str, embedder: Embedder, most: int = MAX_TOKENS_EACH) -> Steps[None]:
    if len(text) > _LONGEST:
        raise too_long(f"more than {MAX_TOKENS_EACH}")
    if len(text) <= _PIECE:
        return
    counted = 0
    for start in range(0, len(text), _PIECE):
        counted += embedder.count([text[start : start + _PIECE]])[0]
        if counted > most + _TOLERANCE:
            raise too_long(f"more than {most}")
        yield
