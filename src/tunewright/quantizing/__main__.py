"""``python -m tunewright.quantizing DIRECTORY GRAPH FAST``: prints one JSON line, or says on
standard error what is wrong."""

import json
import sys
from pathlib import Path

from tunewright.errors import TunewrightError


def main(directory: Path, graph: str, fast: str) -> None:
    from tunewright.quantizing.making import made

    sys.stdout.write(json.dumps(made(directory, graph, fast)) + "\n")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    except TunewrightError as error:
        sys.exit(" ".join(error.message.split()))
