"""A job whose resume points are damaged between two attempts."""

import fcntl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from killing import Place

New = Callable[..., AbstractContextManager[Place]]


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [1, 2])
def test_the_newest_whole_one_is_gone_on_from_or_the_beginning(
    new_place: New, tmp_path: Path, calm: str, damaged: int
) -> None:
    with new_place(tmp_path / "home") as place:
        job = place.job()
        worker = place.worker("one", TRAINER_FAULT="training.written:delay=60")
        folder = place.tw.home.job(job)
        until(lambda: (folder / "model").is_dir(), place, job)
        worker.kill()
        until(lambda: is_free(folder / "lock"), place, job)
        points = sorted((folder / "resume").glob("step-*"))
        assert [point.name for point in points] == ["step-3", "step-6"]
        for point in points[-damaged:]:
            data = bytearray((point / "weights.safetensors").read_bytes())
            data[len(data) // 2] ^= 1
            (point / "weights.safetensors").write_bytes(data)
        place.until(job)
        assert place.wrong(job, calm) == []
        texts = [event.message for event in place.events(job)]
        assert sum("is damaged" in text for text in texts) == damaged
        assert ("Resuming from step 3 of 6" in texts) == (damaged == 1)
        assert sum("starts from the beginning" in text for text in texts) == damaged - 1


def until(true: Callable[[], bool], place: Place, job: str) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError(place.told(job))


def is_free(lock: Path) -> bool:
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
