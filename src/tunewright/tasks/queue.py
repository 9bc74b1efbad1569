"""The queue. A task is internal: what a worker leases to move a job on.

A lease is renewed while the work goes on. One that is not renewed in time, or whose worker is
known to have died, is given out again with the next attempt number, and every write by the old
attempt is refused (`LostLease`): work may happen twice, its effect once. Cancelling ends the lease
in the transaction that cancels the job, so nothing is written after it. Pausing is gentler: a
task that is `held` is given to nobody, and who works on it hears so (`Held`), saves, and gives it
back. Lanes keep short work from waiting behind hours of training.

A lease ends by the clock that nobody sets: CLOCK_MONOTONIC, one for all processes of a machine. By
the time of day, a jump of a day would end every lease or keep a dead worker's for that long. After
a boot it begins anew, and so does every lease: a server that starts frees them all.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, and_, case, delete, func, insert, or_, select, update

from tunewright.catalog.catalog import Catalog
from tunewright.catalog.tables import tasks
from tunewright.records.record import new_id
from tunewright.tasks.kinds import KINDS, Lane

_PRIORITY = case({name: kind.priority for name, kind in KINDS.items()}, value=tasks.c.kind, else_=0)


class LostLease(Exception):
    """Another attempt owns the task now: stop, and write nothing."""


class Held(Exception):
    """The task is paused: save what there is and give it back."""


@dataclass(frozen=True)
class Task:
    id: str
    kind: str
    lane: Lane
    subject: str
    organisation: str
    attempt: int
    fruitless: int
    """Attempts in a row, this one included, since the last that got further."""


class Tasks:
    def __init__(self, catalog: Catalog, lease_seconds: float) -> None:
        self._catalog = catalog
        self._lease_seconds = lease_seconds

    def enqueue(self, kind: str, subject: str, organisation: str, *, held: bool = False) -> None:
        """Add a task of a kind of `KINDS`; part of the transaction that makes it necessary."""
        self.enqueue_all(kind, [subject], organisation, held=held)

    def enqueue_all(
        self, kind: str, subjects: Sequence[str], organisation: str, *, held: bool = False
    ) -> None:
        """The same for each of many subjects."""
        lane = KINDS[kind].lane
        rows = [
            {
                "id": new_id("task-"),
                "kind": kind,
                "lane": lane,
                "subject": subject,
                "organisation": organisation,
                "state": "waiting",
                "held": held,
            }
            for subject in subjects
        ]
        with self._catalog.transaction() as connection:
            if rows:
                connection.execute(insert(tasks), rows)

    def enqueue_once(self, kind: str, subject: str, organisation: str) -> None:
        """The same, unless such a task waits already. One that is being worked on does not count:
        it may be past what is asked for now."""
        query = select(tasks.c.id).where(
            tasks.c.kind == kind, tasks.c.subject == subject, tasks.c.state == "waiting"
        )
        with self._catalog.transaction() as connection:
            if connection.execute(query.limit(1)).one_or_none() is None:
                self.enqueue(kind, subject, organisation)

    def lease(self, lane: Lane, worker: str) -> Task | None:
        """A task of the lane that nobody works on, now leased to `worker`.

        Organisations take turns: the one that was served longest ago comes first, so that nobody
        waits behind ten thousand jobs of somebody else. Of its tasks it is the oldest of the kind
        with the lowest priority.
        """
        now = time.monotonic()
        oldest = (
            select(func.min(tasks.c.sequence))
            .where(_free(lane, now))
            .group_by(tasks.c.organisation, tasks.c.kind)
        )
        query = (
            select(tasks)
            .where(tasks.c.sequence.in_(oldest))
            .order_by(func.coalesce(_last_turn(), 0), _PRIORITY, tasks.c.sequence)
            .limit(1)
        )
        with self._catalog.reading() as connection:  # an idle worker takes no write lock
            if connection.execute(query).one_or_none() is None:
                return None
        with self._catalog.transaction() as connection:
            row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            attempt = row.attempt + 1
            connection.execute(
                update(tasks)
                .where(tasks.c.id == row.id)
                .values(
                    state="leased",
                    attempt=attempt,
                    fruitless=row.fruitless + 1,
                    turn=select(func.coalesce(func.max(tasks.c.turn), 0) + 1).scalar_subquery(),
                    worker=worker,
                    lease_until=now + self._lease_seconds,
                )
            )
        return _task(row, attempt)

    def lease_more(self, task: Task, most: int) -> list[Task]:
        """Up to `most` more waiting tasks to do together with one that is leased: of its kind and
        organisation, with the same beginning of the subject (up to its last /), the oldest first.
        None that has failed before: what ends a worker shall do so alone."""
        begins = task.subject.rpartition("/")[0] + "/"
        waiting = (
            select(tasks)
            .where(
                tasks.c.kind == task.kind,
                tasks.c.organisation == task.organisation,
                tasks.c.state == "waiting",
                tasks.c.held.is_(False),
                tasks.c.fruitless == 0,
                tasks.c.subject.startswith(begins, autoescape=True),
            )
            .order_by(tasks.c.sequence)
            .limit(most)
        )
        mine = select(tasks.c.worker).where(tasks.c.id == task.id).scalar_subquery()
        with self._catalog.transaction() as connection:
            self.guard(task)
            rows = connection.execute(waiting.with_for_update(skip_locked=True)).all()
            connection.execute(
                update(tasks)
                .where(tasks.c.id.in_([row.id for row in rows]))
                .values(
                    state="leased",
                    attempt=tasks.c.attempt + 1,
                    fruitless=tasks.c.fruitless + 1,
                    worker=mine,
                    lease_until=time.monotonic() + self._lease_seconds,
                )
            )
        return [_task(row, row.attempt + 1) for row in rows]

    def keep(self, several: Sequence[Task]) -> None:
        """Renew those that are still ours."""
        if several:
            with self._catalog.transaction() as connection:
                until = time.monotonic() + self._lease_seconds
                connection.execute(update(tasks).where(_ours(several)).values(lease_until=until))

    def ours(self, several: Sequence[Task]) -> list[Task]:
        """Those that this attempt owns: as `guard`, of many."""
        if not several:
            return []
        with self._catalog.transaction() as connection:
            ids = set(connection.execute(select(tasks.c.id).where(_ours(several))).scalars())
        return [task for task in several if task.id in ids]

    def finish_all(self, several: Sequence[Task]) -> None:
        """Finish those that are still ours."""
        if several:
            with self._catalog.transaction() as connection:
                connection.execute(update(tasks).where(_ours(several)).values(state="done"))

    def quiet(self, lane: Lane, most: float) -> float:
        """For how many seconds, `most` at most, no lease of the lane runs out: no commit tells of
        that, so whoever waits for a task must look again then."""
        query = select(func.min(tasks.c.lease_until)).where(
            tasks.c.lane == lane, tasks.c.state == "leased", tasks.c.held.is_(False)
        )
        with self._catalog.reading() as connection:
            end: float | None = connection.execute(query).scalar()
        return most if end is None else min(most, max(0.05, end - time.monotonic() + 0.05))

    def renew(self, task: Task) -> None:
        """Keep the task. Raises LostLease where it was cancelled or went on to another attempt,
        and Held, the lease renewed, where it is paused: until it is given back it is still ours."""
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(
                update(tasks)
                .where(tasks.c.id == task.id)
                .values(lease_until=time.monotonic() + self._lease_seconds)
            )
        if self.held(task.subject):
            raise Held(f"{task.subject} is paused")

    def advance(self, task: Task, step: int) -> None:
        """The work is safe up to `step`. If that is further than ever, the task is in no crash
        loop: earlier failures no longer count."""
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(
                update(tasks)
                .where(tasks.c.id == task.id, tasks.c.reached < step)
                .values(reached=step, fruitless=0)
            )

    def guard(self, task: Task) -> None:
        """Raise LostLease unless this attempt owns the task. Call it inside the transaction that
        writes: then a worker that slept through its lease cannot write."""
        with self._catalog.transaction() as connection:
            row = connection.execute(
                select(tasks.c.attempt, tasks.c.state).where(tasks.c.id == task.id)
            ).one_or_none()
        if row is None:
            raise LostLease(f"task {task.id} was done by somebody else")
        if row.attempt != task.attempt or row.state != "leased":
            raise LostLease(f"task {task.id} went on to attempt {row.attempt} ({row.state})")

    def finish(self, task: Task) -> None:
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(update(tasks).where(tasks.c.id == task.id).values(state="done"))

    def discard(self, task: Task) -> None:
        """Finish a task of which nothing is to be remembered."""
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(delete(tasks).where(tasks.c.id == task.id))

    def release(self, task: Task) -> None:
        """Give the task back unfinished, as at an orderly shutdown; the attempt does not count."""
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(
                update(tasks)
                .where(tasks.c.id == task.id)
                .values(
                    state="waiting", attempt=task.attempt - 1, fruitless=0, worker=None, turn=None
                )
            )

    def others_wait(self, task: Task) -> bool:
        """Whether something waits in the lane that goes before `task`: another organisation's, or
        its own with a lower priority number."""
        before = or_(
            tasks.c.organisation != task.organisation, KINDS[task.kind].priority > _PRIORITY
        )
        query = select(tasks.c.id).where(_free(task.lane, time.monotonic()), before)
        with self._catalog.reading() as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None

    def pass_on(self, task: Task) -> None:
        """Let the other organisations have their turn: the task goes on after them."""
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(
                update(tasks)
                .where(tasks.c.id == task.id)
                .values(state="waiting", attempt=task.attempt - 1, fruitless=0, worker=None)
            )

    def retry(self, task: Task) -> None:
        """Give the task back after a failure; the attempt counts."""
        with self._catalog.transaction() as connection:
            self.guard(task)
            connection.execute(
                update(tasks).where(tasks.c.id == task.id).values(state="waiting", worker=None)
            )

    def release_of_dead(self, worker: str | None = None) -> None:
        """Free what a dead worker held (every worker, where none is named: a fresh start)."""
        dead = tasks.c.state == "leased"
        if worker is not None:
            dead = and_(dead, tasks.c.worker == worker)
        with self._catalog.transaction() as connection:
            connection.execute(
                update(tasks).where(dead).values(state="waiting", worker=None, turn=None)
            )

    def cancel(self, *subjects: str) -> None:
        """End the tasks of `subjects`. Whoever works on one loses its lease, and hears of it at its
        next report or heartbeat."""
        with self._catalog.transaction() as connection:
            for some in _some(subjects):
                ended = update(tasks).where(tasks.c.subject.in_(some)).values(state="done")
                connection.execute(ended)

    def withdraw(self, subjects: Sequence[str]) -> set[str]:
        """The same but for those that somebody works on; which ones were ended."""
        busy: set[str] = set()
        with self._catalog.transaction() as connection:
            for some in _some(subjects):
                theirs = tasks.c.subject.in_(some)
                leased = select(tasks.c.subject).where(theirs, tasks.c.state == "leased")
                busy.update(connection.execute(leased).scalars())
                waiting = update(tasks).where(theirs, tasks.c.state == "waiting")
                connection.execute(waiting.values(state="done"))
        return set(subjects) - busy

    def hold(self, subject: str, held: bool) -> None:
        """Keep the open tasks of `subject` from being leased, or let go of them."""
        with self._catalog.transaction() as connection:
            connection.execute(update(tasks).where(_open_tasks(subject)).values(held=held))

    def held(self, subject: str) -> bool:
        query = select(tasks.c.id).where(_open_tasks(subject), tasks.c.held.is_(True)).limit(1)
        with self._catalog.reading() as connection:
            return connection.execute(query).one_or_none() is not None

    def subjects(self, kind: str, organisation: str) -> list[str]:
        query = select(tasks.c.subject).where(
            tasks.c.kind == kind, tasks.c.organisation == organisation
        )
        with self._catalog.reading() as connection:
            return list(connection.execute(query).scalars())

    def forget(self, kind: str, subject: str) -> None:
        """Remove tasks, done or not, for good."""
        with self._catalog.transaction() as connection:
            connection.execute(
                delete(tasks).where(tasks.c.kind == kind, tasks.c.subject == subject)
            )


def _some(subjects: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as one statement takes."""
    return (subjects[at : at + 500] for at in range(0, len(subjects), 500))


def _free(lane: Lane, now: float) -> Any:
    """Those that can be leased at the monotonic time `now`."""
    unleased = or_(
        tasks.c.state == "waiting",
        and_(tasks.c.state == "leased", tasks.c.lease_until < now),
    )
    return and_(tasks.c.lane == lane, tasks.c.held.is_(False), unleased)


def _ours(several: Sequence[Task]) -> Any:
    attempts = or_(*(and_(tasks.c.id == t.id, tasks.c.attempt == t.attempt) for t in several))
    return and_(attempts, tasks.c.state == "leased")


def _open_tasks(subject: str) -> Any:
    return and_(tasks.c.subject == subject, tasks.c.state != "done")


def _last_turn() -> ScalarSelect[Any]:
    """When the organisation of a task was last served in its lane. What was cut short by a restart
    has not had its turn: it goes on first."""
    other = tasks.alias()
    return (
        select(func.max(other.c.turn))
        .where(other.c.lane == tasks.c.lane, other.c.organisation == tasks.c.organisation)
        .scalar_subquery()
    )


def _task(row: Any, attempt: int) -> Task:
    return Task(
        row.id, row.kind, row.lane, row.subject, row.organisation, attempt, row.fruitless + 1
    )
