"""Draws a job while it runs: live on a terminal, as plain lines elsewhere."""

import datetime
from collections.abc import Iterable
from typing import Any

from rich.live import Live
from rich.text import Text

from tunewright.cli.terminal import say, screen
from tunewright.cli.watch import Watch
from tunewright.errors import JobFailed

_PLAIN_LINES = 10  # for the steps of a whole job, where there is no terminal


def follow(job: str, events: Iterable[dict[str, Any]]) -> Watch:
    """Show `events` (wire objects, oldest first) until they end; return what they came to."""
    watch = Watch(job)
    if not screen.is_terminal:
        _plain(watch, events)
        return watch
    with Live(watch, console=screen, refresh_per_second=8) as live:
        for event in events:
            watch.take(event)
            if event["type"] != "metrics":
                live.console.print(_line(event), soft_wrap=True)
    return watch


def outcome(job: dict[str, Any], watch: Watch) -> None:
    """How an ended job ended. Raises JobFailed for one that failed or was cancelled."""
    if job["status"] == "failed":
        error = job["error"] or {}
        raise JobFailed(
            f"The job failed: {error.get('message')}",
            code=error.get("code"),
            param=error.get("param"),
        )
    if job["status"] == "cancelled":
        raise JobFailed(f"{job['id']} was cancelled.")
    for name, values in (("Training", watch.train), ("Validation", watch.valid)):
        if values:
            say(f"{name} loss {values[0]:.3f} -> {values[-1]:.3f}")
    say(f"The tuned model: {job['fine_tuned_model']}")


def _plain(watch: Watch, events: Iterable[dict[str, Any]]) -> None:
    shown = -1
    for event in events:
        watch.take(event)
        if event["type"] != "metrics":
            say(str(_line(event)))
            continue
        share = watch.step * _PLAIN_LINES // watch.total if watch.total else watch.step
        if share != shown:
            shown = share
            say(", ".join([str(_line(event)), *watch.facts()]))


def _line(event: dict[str, Any]) -> Text:
    time = datetime.datetime.fromtimestamp(event["created_at"]).strftime("%H:%M:%S")
    style = {"warn": "yellow", "error": "red"}.get(event["level"], "")
    return Text.assemble((f"{time}  ", "dim"), (event["message"], style))
