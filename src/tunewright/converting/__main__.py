"""``python -m tunewright.converting DIRECTORY GRAPH``: prints one JSON line, or says on standard
error what is wrong."""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from tunewright.errors import TunewrightError


def main(directory: Path, graph: str) -> None:
    warnings.simplefilter("ignore")  # of tracing: what matters is compared afterwards
    from tunewright.converting.comparing import compared

    sys.stdout.write(json.dumps(compared(directory, graph)) + "\n")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except TunewrightError as error:
        sys.exit(" ".join(error.message.split()))
