"""All embedding requests of a process: `submit` gives a Future, and threads here compute batches.

Each open model has a queue of its own (`batching.Queue`), so that one whose engine is slow, or is
being started, holds up nobody who asks another. What nobody waits for any more (a Future that was
cancelled) is in no further batch.
"""

import atexit
import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import chain

import numpy as np

from tunewright.embedding.batching import Batch, Ids, Queue, Vectors, Work
from tunewright.embedding.embedder import Embedder
from tunewright.errors import Busy, TunewrightError, Unavailable
from tunewright.machine import trim

log = logging.getLogger(__name__)

_PLACES = max(1, (os.cpu_count() or 1) // 4)  # batches of one model at once: each has four threads
_IDLE = 2.0  # seconds, after which a thread ends
_BURST = 20_000  # tokens, after which memory is worth giving back
_NUMBERS = 12  # of a vector take as much memory as the id of a token


class Scheduler:
    """Serves organisations by turns, a batch each.

    `most`: tokens of all requests under way, of which one organisation has three quarters; a vector
    counts as the tokens that take as much memory. A request that comes when nothing is under way is
    taken whatever its size. `abort`: ends what other processes compute, when `close` is called.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float] = time.perf_counter,
        abort: Callable[[], None] = lambda: None,
    ) -> None:
        self._most = most
        self._abort = abort
        self._share = most - most // 4
        self._clock = clock
        self._lock = threading.Lock()
        self._sizes: Counter[str] = Counter()  # in tokens, by organisation
        self._engines: dict[int, _Engine] = {}
        self._closed = False

    def submit(
        self, who: str, embedder: Embedder, inputs: Sequence[Sequence[int]]
    ) -> "Future[Vectors]":
        """Vectors [inputs, d] in the order of the inputs, each at most `declared.context` ids.

        Raises Busy where too much is under way. The Future raises Unavailable where the engine
        fails, or when `close` was called.
        """
        if not inputs:
            return _done(embedder.embed_tokens([]))
        work = Work(who, inputs)
        size = sum(map(len, inputs)) + len(inputs) * embedder.dimensions // _NUMBERS
        with self._lock:
            self._check(who, size)
            engine = self._engine(embedder)
            self._wake(engine)  # first: there may be no thread left for it
            self._sizes[who] += size
            engine.futures[work] = future = Future()
            engine.queue.add(work)
        future.add_done_callback(partial(self._ended, engine, work, size))
        return future

    def close(self) -> None:
        """Whatever waits fails, now and from now on; what is being computed ends first."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            engines = list(self._engines.values())
            waiting = [future for engine in engines for future in engine.futures.values()]
            for engine in engines:
                engine.futures.clear()
                engine.ready.notify_all()
        for future in waiting:
            _fail(future, _closing())
        self._abort()
        for thread in [thread for engine in engines for thread in engine.threads]:
            thread.join()

    def _check(self, who: str, size: int) -> None:
        if self._closed:
            raise _closing()
        under_way, own = self._sizes.total(), self._sizes[who]
        too_many = under_way and under_way + size > self._most
        if too_many or (own and own + size > self._share):
            raise Busy(
                f"The server is busy: embedding requests of {under_way:,} tokens are under way, "
                f"{own:,} of them yours. Send this one again in a moment.",
                # Spread, or all who are refused now would come back at the same moment.
                retry_after=random.uniform(0.5, 1.5),
            )

    def _engine(self, embedder: Embedder) -> "_Engine":
        if id(embedder) not in self._engines:
            self._engines[id(embedder)] = _Engine(embedder, self._lock)
        return self._engines[id(embedder)]

    def _wake(self, engine: "_Engine") -> None:
        if engine.idle:
            engine.ready.notify()
        elif len(engine.threads) < _PLACES:
            atexit.register(self.close)  # no thread may compute when the interpreter is taken down
            thread = threading.Thread(target=self._run, args=[engine], daemon=True)
            thread.start()
            engine.threads.append(thread)

    def _ended(self, engine: "_Engine", work: Work, size: int, _: object) -> None:
        with self._lock:
            self._sizes[work.who] -= size
            if not self._sizes[work.who]:
                del self._sizes[work.who]
            engine.futures.pop(work, None)
            engine.queue.remove(work)

    def _run(self, engine: "_Engine") -> None:
        computed = 0
        while batch := self._next(engine):
            began = self._clock()
            try:
                self._compute(engine, batch)
            except Exception as error:  # no memory for the vectors, say: the thread goes on
                for work, _ in batch:
                    self._fail(engine, work, error)
            computed += engine.queue.took(batch, self._clock() - began)
        if computed >= _BURST:
            trim()  # builtin-mini: 118 MB when it is opened, 147 in a burst, 118 again

    def _next(self, engine: "_Engine") -> Batch:
        """The next batch, as soon as there is one; none when the thread shall end."""
        with self._lock:
            while not engine.queue and not self._closed:
                engine.idle += 1
                there = engine.ready.wait(_IDLE)
                engine.idle -= 1
                if not there and not engine.queue:
                    break
            if engine.queue and not self._closed:
                return engine.queue.take()
            engine.threads.remove(threading.current_thread())
            if not engine.threads and not self._closed:
                del self._engines[id(engine.embedder)]
            return []

    def _compute(self, engine: "_Engine", batch: Batch) -> None:
        """One text that breaks the engine harms no other request: those of its batch are computed
        each by itself then."""
        try:
            vectors = engine.vectors(list(chain.from_iterable(ids for _, ids in batch)))
        except Exception as error:
            if len(batch) > 1 and not self._closed:
                for part in batch:
                    self._compute(engine, [part])
            else:
                self._fail(engine, batch[0][0], error)
            return
        start = 0
        for work, ids in batch:
            self._put(engine, work, ids, vectors[start : start + len(ids)])
            start += len(ids)

    def _put(self, engine: "_Engine", work: Work, ids: list[Ids], vectors: Vectors) -> None:
        with self._lock:
            if work not in engine.futures:
                return  # nobody waits for it any more
            complete = work.put(ids, vectors)
            future = engine.futures.pop(work) if complete is not None else None
        if future and complete is not None and future.set_running_or_notify_cancel():
            future.set_result(complete)

    def _fail(self, engine: "_Engine", work: Work, error: Exception) -> None:
        with self._lock:
            future = engine.futures.pop(work, None)
        if future is None:
            return
        if not isinstance(error, TunewrightError):
            log.error("an embedding engine failed", exc_info=error)
            error = Unavailable(
                "The engine of this embedding model failed at this request; the server's log "
                "tells more."
            )
        _fail(future, error)


class _Engine:
    """What waits for one model, and the threads that compute it. `futures`: of all that is under
    way; who takes one out sets it."""

    def __init__(self, embedder: Embedder, lock: threading.Lock) -> None:
        self.embedder = embedder
        self.queue = Queue(embedder.batch_tokens)
        self.futures: dict[Work, Future[Vectors]] = {}
        self.ready = threading.Condition(lock)
        self.threads: list[threading.Thread] = []
        self.idle = 0  # of them

    def vectors(self, batch: list[Ids]) -> Vectors:
        """[batch, d]. Raises whatever the engine does, and ValueError for what cannot be sent."""
        vectors = self.embedder.embed_tokens(batch)
        if vectors.shape != (len(batch), self.embedder.dimensions):
            raise ValueError(f"{len(batch)} inputs gave vectors of the shape {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("it gave numbers that are not finite")
        return vectors


def _done(vectors: Vectors) -> "Future[Vectors]":
    future: Future[Vectors] = Future()
    future.set_result(vectors)
    return future


def _fail(future: "Future[Vectors]", error: TunewrightError) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)


def _closing() -> Unavailable:
    return Unavailable("The server is shutting down. Send the request again when it is back.")
