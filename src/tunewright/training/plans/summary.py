"""What the planner chose, for the log of the job."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.training.plans.planner import Piece, by_length
from tunewright.wording import counted


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
            prefix = f"shared prefix of {counted(self.shared, 'token')}"
            return f"The rows have a {prefix}. It is computed once a step: {fewer}."
        if self.computed < self.tokens:
            return f"Shared prefixes of the rows of a step are computed once: {fewer}."
        return (
            "Shared prefixes are too few or too short to save time: rows of similar length "
            "are batched."
        )
