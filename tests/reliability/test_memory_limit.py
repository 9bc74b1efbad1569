"""Memory that runs out for real: the trainer may have so many MiB more than it begins with."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import orjson
import pytest
from killing import Place

from servers import chats
from tunewright.records.jobs import Job

New = Callable[..., AbstractContextManager[Place]]


def long_chat(words: int) -> bytes:
    messages = [
        {"role": "user", "content": "Count the sea."},
        {"role": "assistant", "content": "the " * words},
    ]
    return orjson.dumps({"messages": messages}) + b"\n"


def ended(place: Place, data: bytes) -> Job:
    file = place.tw.files.create(file=data, purpose="fine-tune", filename="rows.jsonl")
    given = {"n_epochs": 1, "batch_size": 4}
    job = place.tw.jobs.create(
        model="gpt-3.5-turbo", training_file=file.id, seed=3, hyperparameters=given
    )
    return place.until(job.id, restart=False)


@pytest.mark.slow
@pytest.mark.parametrize("mebibytes", [128, 192])
def test_a_job_that_needs_more_memory_says_what_would_fit(
    new_place: New, tmp_path: Path, mebibytes: int
) -> None:
    with new_place(tmp_path / "home") as place:
        worker = place.worker("worker", TRAINER_ADDRESS_SPACE_MIB=str(mebibytes))
        failed = ended(place, chats(11) + long_chat(900))
        assert failed.status == "failed"
        assert failed.error is not None
        assert failed.error.code == "out_of_memory", place.told(failed.id)
        said = failed.error.message
        longest = re.search(r"an example of (\d+) tokens \(line 12\)", said)
        fits = re.search(r"An example of (\d+) tokens fits", said)
        assert longest, said
        assert fits, said
        assert 16 <= int(fits[1]) <= int(longest[1]) // 2
        assert worker.poll() is None, "only the trainer ran out of it"
        worker.kill()
        place.worker("free")
        after = ended(place, chats(12))
        assert after.status == "succeeded", place.told(after.id)
