"""Recall and precision of each judgement on a half of the planted set."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from quality.kit import Kit
from quality.planted import PLANTS, clean
from tunewright.builtin import STATIC
from tunewright.dataset.examples import Example
from tunewright.embedding.static import StaticEmbedder
from tunewright.quality.judging import judge
from tunewright.quality.rows import Rows, read

EMBEDDER = StaticEmbedder(STATIC)


@dataclass
class Score:
    hit: int = 0
    missed: int = 0
    false: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.hit / max(self.hit + self.missed, 1)

    @property
    def precision(self) -> float:
        return self.hit / max(self.hit + self.false, 1)


def embedded(examples: Sequence[Example]) -> Rows:
    rows = read(enumerate(examples, 1))
    asked = EMBEDDER.embed([row.asked for row in rows]).vectors
    return Rows(rows, asked, EMBEDDER.embed([row.answer for row in rows]).vectors)


def lines(examples: Sequence[Example], held_out: Sequence[Example] = ()) -> dict[str, set[int]]:
    """The lines that each judgement names."""
    found: dict[str, set[int]] = defaultdict(set)
    for finding in judge(embedded(examples), embedded(held_out) if held_out else None):
        found[finding.code] |= set(finding.lines)
    return found


def measure(kit: Kit, seeds: Sequence[int]) -> dict[str, Score]:
    """Each kind in the files where it is planted and in the clean ones."""
    scores: dict[str, Score] = defaultdict(Score)
    for seed in seeds:
        for code, plants in PLANTS.items():
            for plant in plants:
                made = plant(kit, random.Random(seed))
                named, wanted = lines(made.examples, made.held_out)[code], made.planted[code]
                score = scores[code]
                score.hit += len(named & wanted)
                score.missed += len(wanted - named)
                score.false += len(named - wanted)
                for sign, places in (("-", wanted - named), ("+", named - wanted)):
                    score.wrong += [f"{sign} {made.examples[at - 1]}" for at in sorted(places)]
        for name, examples in clean(kit, seed):
            for code, named in lines(examples).items():
                scores[code].false += len(named)
                scores[code].wrong += [f"{name} {examples[at - 1]}" for at in sorted(named)]
    return scores
