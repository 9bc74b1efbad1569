"""``python -m tunewright.work HOME NAME``: the worker that a server starts.

It ends when its standard input closes (the server died); on SIGTERM it gives its tasks back.
"""

import logging
import os
import signal
import sys
import threading

from tunewright.app import Tunewright
from tunewright.work.worker import Worker


def _end_with_server() -> None:
    # Not sys.stdin: a thread that waits in it holds its lock, and Python aborts at exit.
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    home, name = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(levelname)s %(message)s")
    tw = Tunewright(home)
    worker = Worker(tw, name)
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: the server decides
    threading.Thread(target=_end_with_server, daemon=True).start()
    worker.run()
    tw.close()


if __name__ == "__main__":
    main()
