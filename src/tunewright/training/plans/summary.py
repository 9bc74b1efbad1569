"""What the planner chose, for the log of the job."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.training.plans.planner import Piece, by_length


@dataclass(frozen=True)
class Summary:
    """Of some steps. tokens: what rows in batches of similar length would compute; computed: what
    the plans do; shared: the commonest number of tokens that rows begin with and share."""

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
            return f"The {self.shared} tokens that rows begin with: computed once a step, {fewer}."
        if self.computed < self.tokens:
            return f"What the rows of a step begin with: computed once, {fewer}."
        return "Rows that begin alike are too few or too short: batches of similar length."
