"""Ten thousand queued jobs, paged through while others come and go."""

import pytest

from tunewright import Tunewright
from tunewright.records.jobs import Event, Hyperparameters, Job, Method


def job(number: int) -> Job:
    return Job(
        id=f"ftjob-{number:05}",
        model="builtin-chat",
        training_file="file-none",
        hyperparameters=Hyperparameters(),
        method=Method(),
        organization_id="org-a",
        seed=1,
        status="queued",
    )


@pytest.mark.slow
def test_nothing_is_skipped_or_shown_twice_while_the_list_changes(tmp_path) -> None:
    tw = Tunewright(tmp_path / "home")
    shelf = tw.catalog.shelf(tw.owner.organisation)
    with tw.catalog.transaction():
        for number in range(10_000):
            shelf.put(job(number))
    seen: list[str] = []
    after, more = None, True
    while more:
        page = tw.jobs.list(limit=100, after=after)
        seen += [found.id for found in page.data]
        after, more = page.last_id, page.has_more
        shelf.put(job(10_000 + len(seen)))  # newer than where we are: not in the way
        assert after is not None
        shelf.delete(Job, after)  # the very row that the next page begins after
    assert seen == [f"ftjob-{number:05}" for number in range(9_999, -1, -1)]
    assert shelf.get(Job, "ftjob-09900") is None
    tw.close()


def test_a_deleted_job_takes_its_events_along(tmp_path) -> None:
    tw = Tunewright(tmp_path / "home")
    shelf = tw.catalog.shelf(tw.owner.organisation)
    for number in (1, 2):
        made = job(number).model_copy(update={"status": "cancelled"})
        shelf.put(made)
        shelf.put(Event(id=f"ftevent-{number}", message="said"), subject=made.id)
    assert tw.jobs.delete("ftjob-00001").deleted
    assert [event.id for event in shelf.all(Event)] == ["ftevent-2"]
    assert [found.id for found in tw.jobs.list().data] == ["ftjob-00002"]
    assert tw.tasks.subjects("remove-job", tw.owner.organisation) == []
    tw.close()
