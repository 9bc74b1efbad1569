"""Our connectors against the bare clients of the databases, and against other libraries' adapters.

    make databases .sdk/connectors-langchain/.installed .sdk/connectors-llamaindex/.installed
    .venv/bin/python bench/connectors [--rows overhead,suite] [--engines redis,...] [--rounds 200]

overhead: CPU time of this process for one call, ours and the client's, medians of calls that take
turns; 2,000 rows of 384 numbers with three attributes, the ten nearest. Of a database in the
process its own work is in both; a server's is in neither.
suite: how many cases of `tunewright.testing.vectors` each adapter passes (rivals.py).
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HERE / "bench"), str(HERE / "tests"), str(HERE / "tests" / "contracts")]
from machine import described  # noqa: E402

ENGINES = "chroma,chroma-server,milvus,qdrant,postgresql,redis"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="overhead,suite")
    parser.add_argument("--engines", default=ENGINES)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--verbose", action="store_true", help="what became of each case")
    asked = parser.parse_args()
    if "overhead" in asked.rows:
        _overhead(asked.engines.split(","), asked.rounds)
    if "suite" in asked.rows:
        _suite(asked.engines.split(","), asked.verbose)
    print(described())


def _suite(engines: list[str], verbose: bool) -> None:
    from suites import counted

    print("| database | adapter | passes | fails | cannot |\n|---|---|---|---|---|")
    for engine in engines:
        if engine == "chroma-server":
            continue
        for library in ("ours", "langchain", "llamaindex"):
            found = counted(library, engine)
            reasons = Counter(one for one in found.values() if one.startswith("cannot"))
            passed = list(found.values()).count("passed")
            failed = len(found) - passed - reasons.total()
            said = ", ".join(reason.removeprefix("cannot: ") for reason in reasons)
            cell = f"{reasons.total()}: {said}" if reasons else "0"
            print(f"| {engine} | {library} | {passed} | {failed} | {cell} |", flush=True)
            for name, became in sorted(found.items()) if verbose else ():
                print(f"    {name.rpartition('::')[2]}: {became.splitlines()[0][:150]}")


def _overhead(engines: list[str], rounds: int) -> None:
    from overhead import measured

    print("| database | call | bare client, ms | ours, ms | more |\n|---|---|---|---|---|")
    for engine in engines:
        for what, (bare, ours) in measured(engine, rounds).items():
            more = f"{ours - bare:+.2f} ms, {100 * (ours / bare - 1):+.0f} %"
            print(f"| {engine} | {what} | {bare:.2f} | {ours:.2f} | {more} |", flush=True)


if __name__ == "__main__":
    main()
