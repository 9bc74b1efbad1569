"""The whole road, over HTTP with the official SDK: ``python -m gpu.served BASE``.

A server of its own on 127.0.0.1; a LoRA job whose server is killed (SIGKILL, the whole group) after
its first checkpoint and started again; then chats with the tuned model, one stream and 32 at once.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpu.rows import write

ROWS, EPOCHS, STREAMS, TOKENS = 160, 3, 32, 64
_SHOWN = {"url": re.compile(r"OPENAI_BASE_URL=(\S+)"), "key": re.compile(r"OPENAI_API_KEY=(\S+)")}


@contextmanager
def server(home: Path) -> Iterator[dict[str, str]]:
    """What it printed of its address and key. Killed at the end, with all that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tunewright", "serve", "--home", str(home), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=(home / "log").open("ab"),
        text=True,
        start_new_session=True,
    )
    try:
        shown: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            found = {name: at[1] for name, what in _SHOWN.items() if (at := what.search(line))}
            shown |= found
            if line.startswith("Stop with"):
                break
        yield shown
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def client(shown: dict[str, str], key: str) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=shown["url"], api_key=key, max_retries=0, timeout=120)


def main() -> None:
    base = Path(sys.argv[1])
    # What had happened by then is printed when it takes too long.
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("It takes too long."))
    signal.alarm(int(os.environ.get("LIMIT", "600")))
    said: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        added = _timed(
            lambda: subprocess.run(
                [sys.executable, "-m", "tunewright", "models", "add", "base", base, "--home", home],
                check=True,
                stdout=2,
            )
        )
        said["add_s"] = added[0]
        try:
            said |= _story(home)
        except BaseException:
            sys.stderr.write((home / "log").read_text()[-3000:])
            raise
    print(json.dumps(said))


def _story(home: Path) -> dict[str, Any]:
    write("shared", ROWS, home / "rows.jsonl")
    with server(home) as shown:
        key = shown["key"]
        openai = client(shown, key)
        file = openai.files.create(file=(home / "rows.jsonl").open("rb"), purpose="fine-tune")
        began = time.perf_counter()
        job = openai.fine_tuning.jobs.create(
            model="base",
            training_file=file.id,
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": EPOCHS}}},
        )
        with _events(openai, job.id):
            while not _goes_on_after_a_checkpoint(openai, job.id):
                _alive(openai, job.id)
                time.sleep(0.1)
        killed_after = time.perf_counter() - began
    with server(home) as shown:
        openai = client(shown, key)
        again = time.perf_counter()
        with _events(openai, job.id) as events:
            while (job := _alive(openai, job.id)).status != "succeeded":
                time.sleep(0.2)
        finished_after = time.perf_counter() - again
        model = job.fine_tuned_model
        chats = _chats(openai, model)
        texts = [row["messages"][1]["content"] for row in _rows(home)][:256]
        vectors = _timed(lambda: openai.embeddings.create(model="builtin-mini", input=texts))[0]
    resumed = [e.message for e in events if "from step" in e.message]
    return {
        "killed_after_s": round(killed_after, 1),
        "finished_after_s": round(finished_after, 1),
        "resumed": resumed,
        "warnings": [e.message for e in events if e.level != "info"],
        **chats,
        "embeddings_s": vectors,
    }


@contextmanager
def _events(openai: Any, id: str) -> Iterator[list[Any]]:
    """The job's events at the end, printed with their times, however it ends."""
    events: list[Any] = []
    try:
        yield events
    finally:
        events += reversed(list(openai.fine_tuning.jobs.list_events(id, limit=100)))
        for event in events:
            if not event.message.startswith("Step"):
                print(event.created_at % 1000, event.level, event.message, file=sys.stderr)


def _goes_on_after_a_checkpoint(openai: Any, id: str) -> bool:
    """A step after the checkpoint is reported when what a job resumes from is whole on disk."""
    saved = openai.fine_tuning.jobs.checkpoints.list(id).data
    newest = openai.fine_tuning.jobs.list_events(id, limit=1).data
    return bool(saved) and any(each.message.startswith("Step") for each in newest)


def _alive(openai: Any, id: str) -> Any:
    job = openai.fine_tuning.jobs.retrieve(id)
    if job.status in ("failed", "cancelled"):
        raise SystemExit(f"The job {job.status}: {job.error}")
    return job


def _chats(openai: Any, model: str) -> dict[str, Any]:
    """Tokens a second, first of one stream, then of STREAMS at once."""

    def one(at: int) -> int:
        stream = openai.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": f"Say something long about the number {at}."}],
            max_tokens=TOKENS,
            logit_bias={"2": -100, "0": -100},  # so that most go on to the end
            stream=True,
            stream_options={"include_usage": True},
        )
        return next(part.usage.completion_tokens for part in stream if part.usage)

    first = _timed(lambda: one(0))
    single = _timed(lambda: one(1))
    with ThreadPoolExecutor(STREAMS) as pool:
        many = _timed(lambda: sum(pool.map(one, range(STREAMS))))
    return {
        "first_answer_s": first[0],
        "tokens_s_of_1": round(single[1] / single[0]),
        f"tokens_s_of_{STREAMS}": round(many[1] / many[0]),
        "tokens": [single[1], many[1]],
    }


def _rows(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "rows.jsonl").read_text().splitlines()]


def _timed(work: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return round(time.perf_counter() - began, 2), found


if __name__ == "__main__":
    main()
