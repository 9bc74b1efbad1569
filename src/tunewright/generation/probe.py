"""Does sharing a batch change what a model computes? Tried on the model itself when it is loaded.

The kinds of its layers say what ought to work; whether an architecture minds the mask and the
positions that it is given, only its own code knows. A model that does is run a row at a time.

It is tried on what the model is asked every day, in its own template: what a model makes of tokens
that never follow one another is mostly noise. And in float32 too, where rounding hides nothing.
"""

import logging
import math
from pathlib import Path

import torch

from tunewright.errors import TunewrightError
from tunewright.generation.cache import SlotCache
from tunewright.generation.resident import NO_BATCH, Resident
from tunewright.generation.states import row_of
from tunewright.rendering import Renderer
from tunewright.weights import lora
from tunewright.weights.exact import in_float32

_TEXT = "Which train goes to the coast tomorrow morning, and where do I have to change?"
_LONGEST = 32
# Of the logits' own spread. A wrong mask or position is off by tenths of it (least seen: 0.05).
_EXACT = 2e-3
_ROUNDINGS = 6  # in a layer: what it adds, twice, and what goes into that
_UNIT = 2.0**-9 / math.sqrt(3)  # what rounding to bfloat16's 8 bits is off by, on average
_FARTHEST = 5.0  # standard deviations: of the largest among so many logits
_RAISED = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)

log = logging.getLogger(__name__)


def rows_may_share(resident: Resident) -> bool:
    """Whether two rows of unequal length give together what they give alone, prompts in parts too.
    Where not, the log says why."""
    if reason := refusal(resident):
        log.warning(NO_BATCH, resident.directory.name, reason)
    return reason is None


@torch.inference_mode()
def refusal(resident: Resident) -> str | None:
    """Why two rows of unequal length may not share a batch, nor prompts be read in parts; None
    where that gives what each row alone and whole gives.

    Costs a few short forward passes.
    """
    tokens = ordinary_tokens(resident.directory, resident.vocabulary, resident.context)
    try:
        found = _distance(resident, tokens)
        if found > (limit := _limit(resident)):
            return _says(found, limit, resident.model.dtype)
        if resident.model.dtype != torch.float32 and _goes_in_float32(resident, tokens):
            with in_float32(resident.model):
                found = _distance(resident, tokens)
            if found > _EXACT:
                return _says(found, _EXACT, torch.float32)
    except _RAISED as error:
        return f"{type(error).__name__}: {error}"
    return None


def ordinary_tokens(directory: Path, vocabulary: int, context: int) -> list[int]:
    """A question in the base's own template, or a text where it has none; at least 4 tokens."""
    try:
        tokens = _rendered(directory)
    except TunewrightError:  # there is no tokenizer beside the weights
        tokens = []
    most = min(_LONGEST, context)
    fit = [token for token in tokens if token < vocabulary][:most]
    return fit if len(fit) >= 4 else [7 * n % vocabulary for n in range(1, min(most, 8) + 1)]


def _rendered(directory: Path) -> list[int]:
    try:
        chat = Renderer.load(directory, chat=True)
        return chat.prompt([{"role": "user", "content": _TEXT}])
    except TunewrightError:  # no template, or one that refuses this
        return Renderer.load(directory, chat=False).completion_prompt(_TEXT)


def _distance(resident: Resident, tokens: list[int]) -> float:
    """The largest difference between a row alone and the same one read in parts, beside another,
    after a known beginning or run in a batch, of the logits' standard deviation; infinite where
    there is none to tell."""
    long, short = len(tokens) - 1, len(tokens) // 2
    alone, _ = resident.prefill(tokens, lora.NONE, None, 0, every=True)
    ends, pair = resident.read([tokens[:short], tokens[:long]], [lora.NONE] * 2)
    after, _ = resident.read(
        [tokens[1:short], tokens[1:long]], [lora.NONE] * 2, beginning=(row_of(pair, 1, 1), 1)
    )
    together = SlotCache()
    together.join(row_of(pair, 0, short), short)
    first = row_of(pair, 0, short)
    read, full = resident.prefill(tokens[short:long], lora.NONE, first, short)
    together.join(full, long)
    fed = [tokens[short], tokens[long]]
    shared = together.forward(resident, fed, [lora.NONE] * 2)
    ends += after
    expected = alone[[*[short - 1, long - 1] * 2, long - 1, short, long]].float()
    worst = (torch.cat([*ends, read, shared]).float() - expected).abs().amax(-1) / expected.std(-1)
    return worst.max().item() if bool(torch.isfinite(worst).all()) else math.inf


def _limit(resident: Resident) -> float:
    """Three times what rounding alone makes of the farthest logit, in two right ways to it."""
    if resident.model.dtype == torch.float32:
        return _EXACT
    layers = resident.model.config.get_text_config(decoder=True).num_hidden_layers
    return 3 * _FARTHEST * _UNIT * math.sqrt(2 * (_ROUNDINGS * layers + 2))


def _goes_in_float32(resident: Resident, tokens: list[int]) -> bool:
    """Not where a module uses another one's weights, or memory has no room for a wide module."""
    try:
        with in_float32(resident.model):
            resident.prefill(tokens, lora.NONE, None, 0)
    except (*_RAISED, MemoryError):
        return False
    return True


def _says(found: float, limit: float, dtype: torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    return (
        f"in {name} a row beside another one is off by {found:.2g} of its logits' standard "
        f"deviation, more than {limit:.2g}"
    )
