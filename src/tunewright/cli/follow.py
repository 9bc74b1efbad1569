"""Draws a job while it runs, by its events: live on a terminal, as plain lines elsewhere."""

import datetime
import itertools
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tunewright.cli.terminal import duration, say, screen
from tunewright.errors import JobFailed

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 32
_VALIDATION = ("full_valid_loss", "valid_loss")
_PLAIN_LINES = 10  # for the steps of a whole job, where there is no terminal


class Watch:
    """What is known of a running job. Takes its events, oldest first, as wire objects; Rich draws
    it where it is live."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.train: list[float] = []
        self.valid: list[float] = []
        self.step = 0
        self.total: int | None = None
        self._last_message = ""
        self._speed: float | None = None
        self._span: tuple[tuple[int, int], tuple[int, int]] | None = None  # (step, time) twice

    def take(self, event: dict[str, Any]) -> None:
        if event["type"] != "metrics":
            self._last_message = event["message"]
            return
        data = event["data"]
        self.step, self.total = int(data["step"]), int(data.get("total_steps") or 0) or self.total
        self._speed = data.get("tokens_per_second") or self._speed
        if data.get("train_loss") is not None:
            self.train.append(float(data["train_loss"]))
        validation = next((data[k] for k in _VALIDATION if data.get(k) is not None), None)
        if validation is not None:
            self.valid.append(float(validation))
        here = (self.step, int(event["created_at"]))
        self._span = (self._span[0] if self._span else here, here)

    def seconds_left(self) -> float | None:
        """By the speed so far. From the events' own times, so that it holds also where the
        first thousand events are read in one go."""
        if self._span is None or not self.total:
            return None
        (first, began), (last, reached) = self._span
        if last <= first or reached <= began:
            return None
        return (reached - began) / (last - first) * (self.total - last)

    def facts(self) -> list[str]:
        """Speed and time left, as far as they are known."""
        left = self.seconds_left()
        speed = f"{self._speed:,.0f} tokens/s" if self._speed else ""
        return [*filter(None, [speed, f"{duration(left)} left" if left is not None else ""])]

    def __rich__(self) -> RenderableType:
        head = Text.assemble((self.job, "bold"), "  ", self._last_message)
        if not self.total:
            return head
        return Group(head, self._bar(self.total), self._losses())

    def _bar(self, total: int) -> Table:
        row = Table.grid(padding=(0, 2))
        row.add_row(
            ProgressBar(total=total, completed=self.step, width=_WIDTH),
            f"step {self.step}/{total}",
            *self.facts(),
        )
        return row

    def _losses(self) -> Table:
        row = Table.grid(padding=(0, 2))
        for name, values in (("training loss", self.train), ("validation loss", self.valid)):
            if values:
                row.add_row(Text(sparkline(values), "cyan"), name, f"{values[-1]:.3f}")
        return row


def sparkline(values: Iterable[float], width: int = _WIDTH) -> str:
    """The course of `values` in `width` characters at most, each the mean of its share."""
    all_values = list(values)
    count = min(width, len(all_values))
    edges = [len(all_values) * place // count for place in range(count + 1)] if count else [0]
    shares = [all_values[a:b] for a, b in itertools.pairwise(edges)]
    means = [sum(share) / len(share) for share in shares]
    low, high = min(means, default=0.0), max(means, default=0.0)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


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
