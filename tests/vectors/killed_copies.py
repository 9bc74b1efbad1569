"""``python tests/vectors/killed_copies.py FOLDER SOURCE DESTINATION [few]``: a copy that is killed
(SIGKILL) at one point after the other, each time in a process of its own, and goes on in another.

Prints as JSON, of each run, how it ended: -9, or how many rows it found written before.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tunewright.vectors.copying import copying, ends, parquet, positions


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def struck(owner: Any, name: str, nth: int, *, before: bool = False) -> None:
    """The nth call of a method is the last: before it does anything, or as it returns."""
    done: Callable[..., Any] = getattr(owner, name)
    calls = iter(range(1, nth + 1))

    def call(*given: Any, **named: Any) -> Any:
        last = next(calls) == nth
        if last and before:
            die()
        result = done(*given, **named)
        if last:
            die()
        return result

    setattr(owner, name, call)


def run(source: str, destination: str, home: str, strike: Callable[[], None] | None) -> int:
    """In a child of this process: as `os.waitstatus_to_exitcode` has it."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        ends.PAGE = 16 * 8  # 16 rows of eight dimensions
        if strike:
            strike()
        done = copying.copy(source, destination, home=home)
        os.write(into, str(done.resumed).encode())
        os._exit(0)
    os.close(into)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with os.fdopen(out) as said:
        return code or int(said.read())


def main(home: str, source: str, destination: str, few: str = "") -> None:
    into: Any = ends.IntoIndex
    if destination.endswith(".parquet"):
        into = parquet.IntoParquet
        parquet.pyarrow()  # once, and not in each child
    points = [
        lambda: struck(positions.Kept, "save", 1),  # checked, nothing written
        lambda: struck(into, "begin", 1),
        lambda: struck(into, "put", 1),  # written, and not known yet
        lambda: struck(positions.Kept, "save", 3),
        lambda: struck(into, "put", 3, before=True),
        lambda: struck(into, "put", 2),
        lambda: struck(into, "finish", 1, before=True),
        lambda: struck(into, "finish", 1),
        lambda: struck(into, "count", 1),  # while it is verified
        lambda: struck(positions.Kept, "forget", 1, before=True),
        None,
    ]
    if few:  # of a database, whose client takes seconds to be imported
        points = [points[at] for at in (2, 4, 6, 8, -1)]
    sys.stdout.write(json.dumps([run(source, destination, home, point) for point in points]))


if __name__ == "__main__":
    if "DATABASE_CLIENT" in os.environ:
        sys.path.append(os.environ["DATABASE_CLIENT"])
    main(*sys.argv[1:])
