"""How a job's rows are rendered is recorded, and is how its model is prompted."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rendering.reasoning_templates import QWEN3, SMOLLM3
from training.tiny import write_base
from tunewright.app import Tunewright
from tunewright.catalog.catalog import SHARED
from tunewright.errors import BadRequest
from tunewright.records.completions import ChatRequest
from tunewright.records.jobs import Event, Job
from tunewright.records.models import Loadable, Start, Weights
from tunewright.work import fine_tune
from tunewright.work.check import CheckFiles
from tunewright.work.on_job import OnJob

ASKED = {"role": "user", "content": "What is 2+2?"}
THOUGHT = "<think>\nTwo and two.\n</think>\n\n"


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    made = Tunewright(tmp_path / "home")
    for name, template in (("thinker", QWEN3), ("dated", SMOLLM3)):
        base = write_base(tmp_path / name, "llama")
        (base / "chat_template.jinja").write_text(template)
        made.bases.add(name, base, "chat", lambda *_: None)
    yield made
    made.close()


def checked(tw: Tunewright, answer: str, base: str = "thinker", **given: Any) -> tuple[Job, OnJob]:
    row = {"messages": [ASKED, {"role": "assistant", "content": answer}]}
    data = "".join(json.dumps(row) + "\n" for _ in range(10)).encode()
    file = tw.files.create(file=data, purpose="fine-tune", filename="data.jsonl")
    job = tw.jobs.create(model=base, training_file=file.id, **given)
    task = tw.tasks.lease("cpu", "test")
    assert task is not None
    assignment = CheckFiles(tw, task, threading.Event())
    try:
        assignment.run()
    except Exception as error:
        assignment.fail(error)  # pyright: ignore[reportArgumentType]
    return tw.jobs.retrieve(job.id), assignment


def prompted(tw: Tunewright, weights: Loadable | None, **kwargs: Any) -> str:
    assert weights is not None
    renderer = tw.renderer(weights, tw.models).using(kwargs)
    return renderer.pieces.text(renderer.prompt([ASKED]))


def test_reasoning_turns_itself_on_for_a_job_and_its_model(tw: Tunewright) -> None:
    job, assignment = checked(tw, f"{THOUGHT}Four.")
    assert job.status == "queued", job.error
    assert job.chat_template_kwargs == {"enable_thinking": True}
    events = [event.message for event in tw.acting(tw.owner).shelf.all(Event, subject=job.id)]
    assert any("enable_thinking true" in message for message in events)
    start = CheckFiles(tw, assignment.task, threading.Event()).start
    assert fine_tune._recipe(assignment, job).kind == "chat"
    assert start.rendering is not None
    assert start.rendering.kwargs == {"enable_thinking": True}
    assert prompted(tw, start).endswith("assistant\n")
    assert prompted(tw, start, enable_thinking=False).endswith("<think>\n\n</think>\n\n")


def test_plain_answers_are_asked_for_without_a_thought_as_the_base_is(tw: Tunewright) -> None:
    job, assignment = checked(tw, "Four.")
    assert job.chat_template_kwargs is None
    assert "chat_template_kwargs" not in job.wire()
    base = tw.catalog.shelf(SHARED).get(Weights, "thinker")
    assert prompted(tw, base) == prompted(tw, assignment.start)
    assert prompted(tw, base).endswith("<think>\n\n</think>\n\n")


def test_kwargs_that_forbid_what_the_rows_hold_fail_the_job_with_the_remedy(tw: Tunewright) -> None:
    job, _ = checked(tw, f"{THOUGHT}Four.", chat_template_kwargs={"enable_thinking": False})
    assert job.status == "failed"
    assert job.error is not None
    assert "enable_thinking: false" in job.error.message


def test_the_date_of_the_training_is_the_models(tw: Tunewright) -> None:
    job, _ = checked(tw, "Four.", base="dated")
    shelf = tw.acting(tw.owner).shelf
    old = shelf.change(
        Start,
        job.id,
        lambda it: it.model_copy(
            update={"rendering": it.rendering.model_copy(update={"date": "2024-02-29T12:00:00"})}
        ),
    )
    assert "Today: 29 February 2024" in prompted(tw, old)
    assert "Today: 29 February 2024" not in prompted(tw, old.model_copy(update={"rendering": None}))


def ask(tw: Tunewright, **given: Any) -> Any:
    body = {"model": "thinker", "messages": [ASKED], **given}
    return tw.chat.prepare(ChatRequest.parse(body))


def test_a_chat_takes_kwargs_as_vllm_does(tw: Tunewright) -> None:
    off = ask(tw).prompt_tokens
    assert ask(tw, chat_template_kwargs={"enable_thinking": True}).prompt_tokens < off
    assert ask(tw, chat_template_kwargs={"enable_thinking": False}).prompt_tokens == off
    named = ask(tw, messages=[{**ASKED, "name": "Ada"}])
    assert "does not show names" in named.answering.warning


@pytest.mark.parametrize(
    "kwargs",
    [
        {"messages": "x"},
        {"tools": None},
        {"add_generation_prompt": False},
        {"bos_token": "x"},
        {"strftime_now": "x"},
        {"a": {"nested": 1}},
        {"a": "x" * 257},
        {"a": 2**31},
        {"__class__": 1},
        {f"a{n}": 1 for n in range(17)},
    ],
)
def test_kwargs_that_are_not_a_requests_to_give_are_refused_by_name(tw: Tunewright, kwargs) -> None:
    with pytest.raises(BadRequest) as caught:
        ask(tw, chat_template_kwargs=kwargs)
    assert caught.value.param.startswith("chat_template_kwargs")
