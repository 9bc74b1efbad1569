"""``python -m tunewright.work HOME NAME``: the worker that a server starts.

It ends when its standard input closes (the server died); on SIGTERM it gives its tasks back.
"""

import logging
import signal
import sys

from tunewright import children
from tunewright.app import Tunewright
from tunewright.work.worker import Worker


def main() -> None:
    home, name = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(levelname)s %(message)s")
    tw = Tunewright(home)
    worker = Worker(tw, name)
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: the server decides
    children.end_with_parent()
    worker.run()
    tw.close()


if __name__ == "__main__":
    main()
