"""The cheapest exact plan for the rows of a step: which share a micro-batch, and what prefix."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tunewright.training.examples import Sample
from tunewright.training.plans.costs import Costs
from tunewright.training.plans.tries import Sorted
from tunewright.wording import counted

Kind: TypeAlias = Literal["rows", "prefix", "forest"]
# Padded tokens of a micro-batch. On a CPU few rows keep it busy, and more are padded more: steps
# of 16 rows of three kinds took 2.7, 6.9 and 6.5 s with 512, 3.6, 9.1 and 8.1 with 2,048. A GPU
# wants more to do at once.
BUDGETS = {"cpu": 512, "cuda": 8192}
_TRIE = 2048  # tokens of a trie where a micro-batch has fewer: one may be a whole conversation
_WORTH_SHARING = 4  # tokens of a prefix; fewer are not worth a pass of their own


@dataclass(frozen=True)
class Piece:
    """Micro-batches that are computed one after the other, each in one forward pass.

    rows: each is padded rows, [rows, time]. prefix: the same without the `shared` tokens of the
    rows' shared prefix, which is computed once before. forest: each is one row that holds the
    rows' trie, [1, time].
    """

    kind: Kind
    batches: list[list[Sample]]
    shared: int = 0

    @property
    def rows(self) -> list[Sample]:
        return [row for batch in self.batches for row in batch]

    @property
    def computed(self) -> int:
        """Tokens that go through the model, padding included."""
        if self.kind == "forest":
            return sum(Sorted.of(batch).nodes for batch in self.batches)
        longest = (max(len(s.ids) for s in batch) - self.shared for batch in self.batches)
        cells = sum(len(b) * long for b, long in zip(self.batches, longest, strict=True))
        return self.shared + cells


@dataclass(frozen=True)
class Choice:
    """A plan for some rows, and its estimated seconds. alone: rows without a prefix that is worth
    sharing; they are batched with any others."""

    seconds: float
    pieces: list[Piece] = field(default_factory=list[Piece])
    alone: list[Sample] = field(default_factory=list[Sample])


@dataclass(frozen=True)
class Planner:
    """costs: of the base. kinds: the plans that hold for it."""

    costs: Costs
    kinds: frozenset[Kind] = frozenset({"rows"})

    def plan(self, samples: Sequence[Sample], budget: int, *, cached: bool = True) -> list[Piece]:
        """The rows of one step, each once, in micro-batches of at most `budget` padded tokens.

        A longer row has its own. cached: whether the model may keep a cache of keys and values now.
        Depends on its arguments only: a run that resumes plans the same.
        """
        alone, pieces = list(samples), list[Piece]()
        kinds = self.kinds if cached else self.kinds - {"prefix"}
        if kinds > {"rows"} and len(samples) > 1:
            choice = Chooser(self.costs, kinds, budget).best(Sorted.of(samples))
            alone, pieces = choice.alone, choice.pieces
        return [*pieces, *(Piece("rows", [batch]) for batch in by_length(alone, budget))]


@dataclass(frozen=True)
class Chooser:
    """Compares the plans for rows that share a prefix, and those for each branch of their trie."""

    costs: Costs
    kinds: frozenset[Kind]
    budget: int

    def best(self, found: Sorted) -> Choice:
        """The cheapest plan for the rows of `found`, by estimated seconds."""
        options = [self.alone(found)]
        if len(found.rows) > 1:
            options += [*self.prefix(found), *self.forest(found), *self._split(found)]
        return min(options, key=lambda choice: choice.seconds)

    def alone(self, found: Sorted) -> Choice:
        """Padded as in micro-batches of their own. Of a call they pay the part that they fill, for
        other rows may share it."""
        costs, seconds = self.costs, self.costs.heads(_supervised(found.rows))
        for batch in by_length(found.rows, self.budget):
            longest = len(batch[0].ids)
            seconds += len(batch) * costs.alone(longest)
            seconds += costs.calls(1) * min(1, len(batch) * longest / self.budget)
        return Choice(seconds, alone=found.rows)

    def prefix(self, found: Sorted) -> Iterator[Choice]:
        """The prefix of all rows computed once; nothing where it is too short or not allowed."""
        # The last token of a prompt predicts a supervised one, so it must be a row's own.
        shared = min(found.common, min(row.start for row in found.rows) - 1)
        if "prefix" not in self.kinds or shared < _WORTH_SHARING:
            return
        batches = list(by_length(found.rows, self.budget, shared))
        costs = self.costs
        seconds = costs.calls(1 + len(batches)) + costs.alone(shared)
        for batch in batches:
            seconds += costs.suffixes(len(batch), len(batch[0].ids) - shared, shared)
        seconds += costs.heads(_supervised(found.rows))
        yield Choice(seconds, [Piece("prefix", batches, shared)])

    def forest(self, found: Sorted) -> Iterator[Choice]:
        """Every shared prefix computed once, in one trie or several of limited size."""
        if "forest" not in self.kinds or found.common < _WORTH_SHARING:
            return
        # A trie pads nothing, and shares only what it holds.
        for most in dict.fromkeys((self.budget, max(self.budget, min(4 * self.budget, _TRIE)))):
            parts = list(_tries(found, most))
            seconds = self.costs.calls(len(parts)) + self.costs.heads(_supervised(found.rows))
            seconds += sum(self.costs.trie(part.nodes) for part in parts)
            yield Choice(seconds, [Piece("forest", [part.rows for part in parts])])

    def _split(self, found: Sorted) -> Iterator[Choice]:
        """The best plan of each branch of the trie by itself."""
        branches = list(found.branches(found.common))
        if len(branches) == len(found.rows):
            return  # no two rows share more: that is `alone`
        choices = [self.best(found.part(start, end)) for start, end in branches]
        yield Choice(
            seconds=sum(choice.seconds for choice in choices),
            pieces=[piece for choice in choices for piece in choice.pieces],
            alone=[row for choice in choices for row in choice.alone],
        )


@dataclass(frozen=True)
class Summary:
    """Of some steps, for the log of the job. tokens: what plain rows, batched by similar length,
    would compute; computed: what the plans do; shared: the commonest length of a shared prefix."""

    tokens: int
    computed: int
    shared: int

    @classmethod
    def of(cls, steps: Sequence[Sequence[Piece]], budget: int) -> "Summary":
        tokens = computed = 0
        shared = Counter[int]()
        for pieces in steps:
            rows = [row for piece in pieces for row in piece.rows]
            tokens += sum(Piece("rows", [batch]).computed for batch in by_length(rows, budget))
            computed += sum(piece.computed for piece in pieces)
            shared.update(piece.shared for piece in pieces if piece.kind != "rows")
        return cls(tokens, computed, shared.most_common(1)[0][0] if shared else 0)

    def __str__(self) -> str:
        fewer = f"{self.tokens / self.computed:.1f}x fewer tokens"
        if self.shared:
            prefix = f"shared prefix of {counted(self.shared, 'token')}"
            return f"The rows have a {prefix}. It is computed once a step: {fewer}."
        if self.computed < self.tokens:
            return f"Shared prefixes of the rows of a step are computed once: {fewer}."
        return (
            "Shared prefixes are too few or too short to save time: rows of similar length "
            "are batched."
        )


def by_length(samples: Sequence[Sample], budget: int, skip: int = 0) -> Iterator[list[Sample]]:
    """Rows of similar length, at most `budget` padded tokens beyond the first `skip` of each."""
    batch: list[Sample] = []
    for sample in sorted(samples, key=lambda s: len(s.ids), reverse=True):
        if batch and (len(batch) + 1) * (len(batch[0].ids) - skip) > budget:
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


def _tries(found: Sorted, budget: int) -> Iterator[Sorted]:
    """Neighbours together, while their trie has at most `budget` tokens."""
    start, nodes = 0, 0
    for at, (row, shared) in enumerate(zip(found.rows, found.shared.tolist(), strict=True)):
        new = len(row.ids) - shared
        if at > start and nodes + new > budget:
            yield found.part(start, at)
            start, nodes, new = at, 0, len(row.ids)
        nodes += new
    yield found.part(start, len(found.rows))


def _supervised(rows: Sequence[Sample]) -> int:
    return sum(row.supervised for row in rows)
