"""Which inputs are computed together, by counting: no clock, no thread."""

from itertools import count

import numpy as np

from tunewright.embedding.batching import AROUND, Batch, Queue, Work

MOST = 1024
_ids = count(1)


def text(length: int) -> list[int]:
    """One like no other."""
    return [next(_ids), *[0] * (length - 1)]


def lengths(batch: Batch) -> list[int]:
    return [len(ids) for _, taken in batch for ids in taken]


def drained(queue: Queue) -> list[Batch]:
    batches = list(iter(queue.take, []))
    assert not queue
    return batches


def test_a_batch_is_of_like_length_and_padding_stays_small() -> None:
    queue = Queue(MOST)
    queue.add(Work("a", [text(10 + n * 7919 % 250) for n in range(1000)]))
    batches = [lengths(batch) for batch in drained(queue)]
    assert sum(map(len, batches)) == 1000
    padded = [len(batch) * (max(batch) + AROUND) for batch in batches]
    assert max(padded) <= MOST
    assert sum(padded) < 1.06 * sum(n + AROUND for batch in batches for n in batch)
    queue.add(Work("a", [text(5000), text(3), text(5)]))
    assert [lengths(batch) for batch in drained(queue)] == [[5000], [3, 5]], "too long: alone"


def test_inputs_of_many_requests_share_batches_of_like_length() -> None:
    """Padding costs no more than the batches that it saves."""
    queue = Queue(MOST)
    for n in range(64):
        queue.add(Work(f"organisation {n % 3}", [text(8)]))
    [batch] = drained(queue)
    assert len(batch) == 64
    for n in range(64):
        queue.add(Work(f"organisation {n % 3}", [text(8 + n % 13)]))
    batches = [lengths(batch) for batch in drained(queue)]
    assert len(batches) <= 6
    padding = sum(max(batch) - length for batch in batches for length in batch)
    assert padding <= 6 * MOST / 32
    queue.add(Work("a", [text(40)]))
    queue.add(Work("b", [text(8), text(8)]))
    assert sorted(lengths(batch) for batch in drained(queue)) == [[8, 8], [40]]


def test_a_word_waits_for_one_batch_of_each_other_organisation() -> None:
    """However much those have, and however many requests."""
    queue = Queue(MOST)
    for who in ("a", "b"):
        for _ in range(12):
            queue.add(Work(who, [text(60) for _ in range(2048)]))
    queue.take()
    word = Work("c", [text(1)])
    queue.add(word)
    before = 0
    while not any(work is word for work, _ in queue.take()):
        before += 1
    assert before <= 2


def test_within_an_organisation_requests_take_turns_too() -> None:
    queue = Queue(MOST)
    large, word = Work("a", [text(60) for _ in range(2048)]), Work("a", [text(1)])
    queue.add(large)
    queue.take()
    queue.add(word)
    assert any(work is word for batch in (queue.take(), queue.take()) for work, _ in batch)


def test_what_was_removed_is_in_no_batch() -> None:
    queue = Queue(MOST)
    gone, stays = (Work("a", [text(60) for _ in range(2048)]) for _ in range(2))
    queue.add(gone)
    queue.add(stays)
    queue.take()
    queue.remove(gone)
    queue.remove(gone)
    assert {id(work) for batch in drained(queue) for work, _ in batch} == {id(stays)}


def test_vectors_come_back_in_the_order_of_the_inputs_and_repetitions_are_computed_once() -> None:
    queue, inputs = Queue(MOST), [text(n) for n in (5, 900, 7)] * 2
    queue.add(work := Work("a", inputs))
    found = None
    computed = 0
    for [(_, ids)] in drained(queue):
        assert found is None
        computed += len(ids)
        found = work.put(ids, np.array([[each[0], 1] for each in ids], np.float32))
    assert computed == 3
    assert found is not None
    np.testing.assert_array_equal(found[:, 0], [ids[0] for ids in inputs])
