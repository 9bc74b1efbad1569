"""The supervised stretches of an example, measured one by one: all of them at once may be large."""

from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.dataset.remedies import DROP_LONG
from tunewright.rendering import Row
from tunewright.tables.problems import Fault


@dataclass
class Measured:
    """`count` of stretches, tokens up to the end of the `longest`, and all that are `supervised`;
    whether one was `cut`. `unknown`: tokens of one that stand for what the base cannot read."""

    count: int = 0
    longest: int = 0
    supervised: int = 0
    unknown: int = 0
    cut: bool = False

    def add(self, row: Row) -> None:
        self.count += 1
        self.longest = max(self.longest, len(row.prompt) + len(row.answer))
        self.supervised += len(row.answer)
        self.cut = self.cut or row.cut


def notices(whole: Measured, used: Measured) -> Iterator[str]:
    """The codes of what stretches show: `whole`, and as training reads them."""
    if used.cut:
        yield "too_long"
    if used.count < whole.count:
        yield "answer_too_late"
    if not whole.count:
        yield "nothing_to_learn"


def too_long(whole: Measured, lost: int, context: int) -> Iterator[Fault]:
    """The fault of an example that loses so many supervised tokens when it is cut."""
    if not lost:
        return
    what = f"The example has {whole.longest:,} tokens, the model reads {context:,}"
    without = f"or leave out such rows: {DROP_LONG}"
    if lost == whole.supervised:
        what += ", and its prompt alone fills them: a cut would lose the whole answer."
        yield Fault("$", "too_long", what, f"Shorten the prompt, {without}")
        return
    what += f": a cut would lose {lost:,} of its {whole.supervised:,} supervised tokens."
    remedy = f'Shorten or split it, permit the cut (the setting long_examples = "cut"), {without}'
    yield Fault("$", "too_long", what, remedy)
