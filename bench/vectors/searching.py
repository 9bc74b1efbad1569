"""The rows of searching: without a filter, with two, 100 queries in one call."""

import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from built import Built
from contender import Contender, LeftOut
from truth import QUERIES, Truth

FILTERS = (None, "tenth", "hundredth")
ENOUGH = 0.99
BATCH = 100
TURN = 1.5  # seconds of one engine in one round of one filter
LEAST = 30  # queries of a turn, however long they take


class Searched:
    """An engine that answers; what it did."""

    def __init__(self, made: Built, contender: Contender) -> None:
        self.made, self.contender = made, contender
        self.recall: dict[str | None, float] = {}
        self.rates: dict[str | None, list[tuple[float, float]]] = {each: [] for each in FILTERS}
        self.batch: list[tuple[float, ...]] = []
        self.failed: str | None = None
        self.settled = 0.0

    def settle(self, seconds: float) -> None:
        self.settled = seconds
        if seconds > 1:
            print(f"{self.made.name}: settled after {seconds:.0f} s", file=sys.stderr)

    def asks(self, where: str | None) -> bool:
        return self.failed is None and (where is None or self.contender.traits["filters"])

    def once(self, where: str | None, width, **more) -> dict:
        return self.contender.ask("search", 120, width=width, where=where, first=0, **more)

    def width(self, where: str | None):
        return self.made.widths[where or "none"][0]

    def tune(self, truth: Truth) -> None:
        """The first width that is enough for each filter; recall of what it finds."""
        for where in filter(self.asks, FILTERS):
            known = self.made.widths.get(where or "none")
            for width in known or self.contender.traits["widths"]:
                found = self.once(where, width, count=QUERIES, seconds=20)["ids"]
                self.recall[where] = truth.recall(where, 0, found)
                self.made.widths[where or "none"] = [width]
                if self.recall[where] >= ENOUGH:
                    break
        self.made.keep()

    def turn(self, where: str | None) -> None:
        found = self.once(where, self.width(where), count=QUERIES, seconds=TURN)
        self.rates[where].append(
            (len(found["ids"]) / found["wall"], len(found["ids"]) / found["cpu"])
        )

    def batches(self) -> None:
        if self.contender.traits["batches"] and self.failed is None:
            one = self.once(None, self.width(None), count=BATCH, seconds=60, each=BATCH)
            apart = self.once(None, self.width(None), count=BATCH, seconds=60)
            self.batch.append(
                tuple(BATCH / found[clock] for clock in ("wall", "cpu") for found in (one, apart))
            )

    def tried(self, step, *given) -> None:
        try:
            step(*given)
        except (LeftOut, ValueError) as why:
            self.failed = str(why)
            print(f"{self.made.name} is left out: {why}", file=sys.stderr)


@contextmanager
def opened(made: Built, cache: Path, count: int, place: Path, core: int) -> Iterator[Searched]:
    contender = Contender(made.name, cache, count, place / f"{made.name}.log")
    searched = Searched(made, contender)
    searched.tried(lambda: contender.ask("open", 120, folder=made.folder))
    searched.tried(lambda: searched.settle(contender.ask("settle", 600)["wall"]))
    searched.tried(lambda: contender.ask("pin", core=core))
    try:
        yield searched
    finally:
        contender.close()


def measure(engines: list[Searched], truth: Truth, rounds: int, rows: list[str]) -> None:
    for each in engines:
        each.tried(each.tune, truth)
        widths = {where: each.made.widths.get(where or "none") for where in FILTERS}
        print(f"{each.made.name}: {widths} {each.recall}", file=sys.stderr)
    for _ in range(rounds):
        for where in FILTERS if "search" in rows else ():
            for each in engines:
                if each.asks(where):
                    each.tried(each.turn, where)
        for each in engines if "batch" in rows else ():
            each.tried(each.batches)


def report(engines: list[Searched], rows: list[str]) -> None:
    print(
        "\n| engine | width | recall | queries/s | 10 %: width | recall | queries/s "
        "| 1 %: width | recall | queries/s | resident MB | built in s, settled | disk MB |"
    )
    print("|---|" + "---|" * 12)
    for each in engines:
        cells = [cell for where in FILTERS for cell in _cells(each, where)]
        whole, alone = each.contender.resident() if each.failed is None else (0, 0)
        cells += [
            f"{whole} ({alone})",
            f"{each.made.seconds:.0f}, {each.settled:.0f}",
            f"{each.made.megabytes}",
        ]
        print(f"| {each.made.name} | {' | '.join(cells)} |")
    if "batch" in rows:
        print(f"\n| engine | {BATCH} in one call, queries/s | in {BATCH} calls | ratio |")
        print("|---|---|---|---|")
        for each in engines:
            if each.batch:
                one, apart, used, used_apart = map(statistics.median, zip(*each.batch, strict=True))
                print(
                    f"| {each.made.name} | {one:.0f} | {apart:.0f} | {one / apart:.1f} "
                    f"({used / used_apart:.1f}) |"
                )


def _cells(searched: Searched, where: str | None) -> list[str]:
    if searched.failed or not searched.rates[where]:
        return ["", "", searched.failed or "none"]
    clock, used = (statistics.median(rate) for rate in zip(*searched.rates[where], strict=True))
    width = searched.width(where)
    return [f"{width or ''}", f"{searched.recall[where]:.3f}", f"{clock:.0f} ({used:.0f})"]
