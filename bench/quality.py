"""How long the judgement of a large file takes: embedding and all of `quality`, all rows different.

Seconds on the clock and of the processor: on a machine that others use too, the latter compare.

python bench/quality.py [ROWS]
"""

import random
import resource
import sys
import time

from tunewright.builtin import STATIC
from tunewright.dataset.examples import ChatExample
from tunewright.embedding.static import StaticEmbedder
from tunewright.quality.judging import judge
from tunewright.quality.rows import Rows, read

WORDS = (
    "river stone market window letter garden winter bridge teacher engine yellow quiet simple "
    "early carry build travel answer gather measure copper island orchard ticket morning harbour "
    "kitchen doctor pocket singer valley feather ladder candle forest blanket mirror hammer thunder"
)


def example(rng: random.Random) -> ChatExample:
    asked = " ".join(rng.choices(WORDS.split(), k=rng.randint(8, 40)))
    said = [" ".join(rng.choices(WORDS.split(), k=12)).capitalize() for _ in range(5)]
    return ChatExample(
        [
            {"role": "system", "content": "You are brief."},
            {"role": "user", "content": f"{asked.capitalize()} {rng.randint(1, 99_999)}?"},
            {"role": "assistant", "content": ". ".join(said) + "."},
        ]
    )


def main(number: int) -> None:
    rng, embedder = random.Random(0), StaticEmbedder(STATIC)
    rows = read((line, example(rng)) for line in range(1, number + 1))
    began, worked = time.perf_counter(), time.process_time()
    asked = embedder.embed([row.asked for row in rows]).vectors
    both = Rows(rows, asked, embedder.embed([row.answer for row in rows]).vectors)
    embedded = time.perf_counter()
    found = judge(both)
    ended, total = time.perf_counter(), time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{number:,} rows: embedded in {embedded - began:.1f} s, judged in "
        f"{ended - embedded:.1f} s, {total:.1f} s of the processor in all"
    )
    print(f"peak memory {peak:,.0f} MB; findings: {[finding.code for finding in found]}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
