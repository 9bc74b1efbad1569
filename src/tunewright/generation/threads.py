"""How many threads a step takes. Tried on the steps themselves, again and again: what is faster
depends on what else the machine does, and that changes while a model is served.

Threads meet several hundred times in a step, so that one which does not get its core makes all wait
each time. With two threads a step of 135M parameters took 42 ms where one took 56, and 605 where
one took 140 once four other processes were busy on the two cores.
"""

from collections import deque
from statistics import median

_RECENT = 3  # steps: fewer say nothing, unless there is no other or it takes MUCH longer
_MUCH = 8.0  # times as long: one such step is enough, for it may have taken seconds
_BLOCK, _BLOCKS = 4, 3  # steps with the same number of threads; by turns
_PLAIN = 1.1  # times as long, for each of three steps: enough
_CLEAR = 2.0  # times as long: no chance, or no longer the machine that it was
_WORTH = 0.97  # of the time of the number that is in use; what is less is noise
_SOON, _LATEST = 2.0, 60.0  # seconds between two trials
_LOST = 0.05  # of the time, at most, goes to trials


class Threads:
    """`count`: of threads for the next step; `most` of them, or one.

    Steps are told to `took`, which tells a trial when `count` changes. `kept`: the choice, without
    what is only tried.
    """

    def __init__(self, most: int, first: int = 1, apart: float = 1.0) -> None:
        """first: the choice until more is known. One is never far behind, more may be, by tens of
        times. apart: seconds between two steps, after which they tell nothing about each other."""
        self._most, self.kept = most, min(first, most)
        self._apart = apart
        self._trial: _Trial | None = None
        self._rows, self._at = 0, 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._usual: dict[int, float] = {}
        self._pause = _SOON
        self._soonest = self._due = 0.0

    @property
    def count(self) -> int:
        return self._trial.count if self._trial else self.kept

    def took(self, rows: int, seconds: float, now: float, work: int = 1) -> None:
        """A step of so much `work` for each of `rows` has ended `now` (in seconds, as `seconds`).
        Steps of as many rows are compared, by the time for the same work."""
        if self._most == 1:
            return
        if rows != self._rows or now - seconds - self._at > self._apart:
            self._end(now)
            self._recent.clear()
        self._rows, self._at = rows, now
        if self._trial is None:
            self._watch(seconds / work, now)
        elif self._trial.took(seconds, work):
            self._end(now)

    def known(self, now: float, seconds: float) -> bool:
        """Whether there was a step in the last `seconds`."""
        return bool(self._usual) and now - self._at < seconds

    def follow(self, kept: int) -> None:
        """Take over a choice that was made elsewhere; what was found here before is void."""
        self.kept, self._trial, self._pause = kept, None, _SOON
        self._recent.clear()
        self._usual.clear()
        self._soonest = self._due = 0.0

    def _watch(self, seconds: float, now: float) -> None:
        self._recent.append(seconds)
        usual = self._usual.get(self._rows)
        much = usual is not None and seconds > _MUCH * usual
        if len(self._recent) < _RECENT and self._usual and not much:
            return
        recent = seconds if much else median(self._recent)
        usual = self._usual.setdefault(self._rows, recent)
        changed = not usual / _CLEAR <= recent <= usual * _CLEAR
        if now >= (self._soonest if changed else self._due):
            other = 1 if self.kept > 1 else self._most
            like = [s for s in self._recent if recent / _CLEAR <= s <= recent * _CLEAR]
            self._trial = _Trial(self.kept, other, like)

    def _end(self, now: float) -> None:
        """End the trial, if there is one, with what it has found so far."""
        trial, self._trial = self._trial, None
        if trial is None:
            return
        again = trial.winner == self.kept
        self._pause = min(2 * self._pause, _LATEST) if again else _SOON
        self.kept = trial.winner
        self._usual = {self._rows: median(trial.times[self.kept])}
        rest = trial.lost / _LOST
        self._soonest, self._due = now + max(_SOON, rest), now + max(self._pause, rest)
        self._recent.clear()


class _Trial:
    """Blocks of steps with `other` threads and with those in use, `kept`, by turns; ended as soon
    as it is plain who wins. Times are of the same work."""

    def __init__(self, kept: int, other: int, recent: list[float]) -> None:
        self._kept, self._other = kept, other
        self.times: dict[int, list[float]] = {kept: recent, other: []}
        self._steps, self._seconds, self._work = 0, 0.0, 0

    @property
    def count(self) -> int:
        return self._kept if self._steps // _BLOCK % 2 else self._other

    def took(self, seconds: float, work: int) -> bool:
        """Whether that was the last step."""
        self.times[self.count].append(seconds / work)
        self._steps += 1
        self._seconds += seconds
        self._work += work
        return self._steps == _BLOCK * _BLOCKS or self._clear() or self._plain()

    def _clear(self) -> bool:
        kept, other = self.times[self._kept], self.times[self._other]
        if not other:
            return False
        usual = median(kept)  # beside other load the longest of three is often twice as long
        return min(other) > _CLEAR * usual or usual > _CLEAR * max(other)

    def _plain(self) -> bool:
        other, usual = self.times[self._other], median(self.times[self._kept])
        if len(other) < _RECENT:
            return False
        return min(other) > _PLAIN * usual or usual > _PLAIN * max(other)

    @property
    def winner(self) -> int:
        kept, other = self.times[self._kept], self.times[self._other]
        known = len(other) >= _RECENT or self._clear()
        return self._other if known and median(other) < _WORTH * median(kept) else self._kept

    @property
    def lost(self) -> float:
        """Seconds that the trial took longer than it would have with the winner alone."""
        return max(0.0, self._seconds - self._work * median(self.times[self.winner]))
