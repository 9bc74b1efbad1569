"""When an accelerator is made, and made anew: beside the searches, which never wait for one."""

import contextlib
import logging
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from tunewright.vectors.filters import Filter
from tunewright.vectors.index import Floats, Hits
from tunewright.vectors.local import building, exact, files, plans
from tunewright.vectors.local.accelerator import Accelerator, Placed, Stopped
from tunewright.vectors.local.view import View

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Way:
    """From how many rows on there is an accelerator (`rows`), and a graph (`graph`: by the seconds
    of a scan, which it is to save); at what share of new or deleted rows it is made anew
    (`stale`), but not for fewer than `few` of them. beside: in a thread, not by who searches."""

    rows: int = 4096
    graph: float = 0.0006
    stale: float = 0.2
    few: int = 4096
    faiss: bool = True
    beside: bool = True


_AT_ONCE = Way(rows=1, stale=0.3, few=1, beside=False)
WAYS = {
    "": Way(),
    # For tests and measurements: no accelerator, or one kind of it whatever the collection's size.
    "exact": Way(rows=1 << 62),
    "numpy": replace(_AT_ONCE, graph=float("inf"), faiss=False),
    "scan": replace(_AT_ONCE, graph=float("inf")),
    "graph": replace(_AT_ONCE, graph=0.0),
}


class Accelerating:
    """Of one collection: answers from the newest accelerator that there is."""

    def __init__(self, name: str, way: Way, folder: Path) -> None:
        self._name, self._way, self._folder = name, way, folder
        self._faiss = way.faiss and building.has_faiss()
        self._lock = threading.Lock()
        self._accelerator: Accelerator | None = None
        self._placed: tuple[View, Accelerator, Placed] | None = None
        self._without = 0  # rows of which none could be made
        self._thread: threading.Thread | None = None
        self._closed = False

    def search(self, view: View, queries: Floats, k: int, where: Filter | None) -> Hits:
        placed = self.consider(view)
        if placed is None:
            return exact.search(view, queries, k, view.matching(where))
        return plans.search(view, placed.accelerator, placed, queries, k, where)

    def consider(self, view: View) -> Placed | None:
        """The newest accelerator, of which one is made where it is time for it."""
        if self._accelerator is not None and view.sequence < self._accelerator.sequence:
            return None  # somebody was so slow
        placed = self._newest(view)
        if self._due(view, placed):
            self._make(view)
            placed = self._newest(view)
        return placed

    def _newest(self, view: View) -> Placed | None:
        accelerator, placed = self._accelerator, self._placed
        if accelerator is None:
            return None
        if placed is None or placed[0] is not view or placed[1] is not accelerator:
            # Two threads may both do it: a millisecond at a million rows.
            placed = self._placed = (view, accelerator, Placed(view, accelerator))
        return placed[2]

    def _due(self, view: View, placed: Placed | None) -> bool:
        if view.rows < max(self._way.rows, 2 * self._without):
            return False
        if placed is None:
            return True
        return self._is_stale(view, placed)

    def _is_stale(self, view: View, placed: Placed) -> bool:
        changed = placed.fresh + placed.gone
        return changed >= max(self._way.few, int(self._way.stale * view.rows))

    def _make(self, view: View) -> None:
        if not self._way.beside:
            with self._lock:
                if self._due(view, self._newest(view)):  # nobody has meanwhile
                    self._build(view)
            return
        with self._lock:
            if self._thread is None and not self._closed:
                name = f"accelerating {self._name}"
                self._thread = threading.Thread(
                    target=self._beside, args=(view,), name=name, daemon=True
                )
                self._thread.start()

    def _beside(self, view: View) -> None:
        with contextlib.suppress(AttributeError, OSError):  # elsewhere than on Linux
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
        try:
            self._build(view)
        except Stopped:
            pass
        except Exception:  # searches go on without
            log.exception("no accelerator could be made for the collection %s.", self._name)
            self._without = view.rows
        finally:
            self._thread = None

    def _build(self, view: View) -> None:
        """First one that scans, which takes seconds; then a graph, which may take minutes."""
        made = self._kept(view)
        if made is not None and self._is_fresh(view, made):
            self._accelerator = made
            return
        made = building.scanning(view, faiss=self._faiss) if len(view) else None
        if made is None:
            self._without = view.rows
            return
        if self._accelerator is None or self._accelerator.graph is None:
            self._accelerator = made
        if self._faiss and len(made) * made.scan_seconds > self._way.graph:
            made = self._with_graph(made, view)
        self._accelerator = made
        self._tell(made)

    def _with_graph(self, made: Accelerator, view: View) -> Accelerator:
        from tunewright.vectors.local import kept_graphs

        made = building.with_graph(made, view, lambda: self._closed)
        if made.graph is not None and (self._folder / files.STORE).exists():
            kept_graphs.write(self._folder / files.GRAPH, made)
        return made

    def _kept(self, view: View) -> Accelerator | None:
        """What this process, or another one, has made before."""
        if not self._faiss or not (self._folder / files.GRAPH).exists() or not len(view):
            return None
        from tunewright.vectors.local import kept_graphs

        return kept_graphs.read(self._folder / files.GRAPH, view)

    def _is_fresh(self, view: View, made: Accelerator) -> bool:
        return not self._is_stale(view, Placed(view, made))

    def _tell(self, made: Accelerator) -> None:
        if made.graph is None:
            log.info("%s: %d rows are scanned as int8, exactly.", self._name, len(made))
            return
        recall = made.recalls[0]
        log.info(
            "%s: a graph of %d rows; recall@%d %.4f +- %.4f on rows left out of it (ef %d).",
            *(self._name, len(made), recall.k, recall.mean, recall.within, recall.width),
        )

    def settled(self) -> bool:
        """Whether nothing is being made."""
        return self._thread is None

    def close(self) -> None:
        """What is being made is given up, within a second."""
        self._closed = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(10)
