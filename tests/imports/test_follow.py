"""Stored completions as they come."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from os import environ
from pathlib import Path

import pytest

from imports.elsewhere import KEY, Elsewhere, refused
from tunewright.imports import Archive, Line, Source, SourceError, follow


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere(lists={"/chat/completions": []})
    store(made, *range(110))
    yield made
    made.close()


def store(elsewhere: Elsewhere, *numbers: int) -> None:
    for n in numbers:
        elsewhere.add("/chat/completions", {"id": f"chatcmpl-{n}", "created": 1_000 + n})
        elsewhere.lists[f"/chat/completions/chatcmpl-{n}/messages"] = [{"id": f"m-{n}"}]


class Enough(Exception):
    pass


def followed(elsewhere: Elsewhere, archive: Archive, *between: Callable[[], None]) -> list[Line]:
    """What is fetched while `between` happens, each before another look."""
    left = list(between)

    def sleep(seconds: float) -> None:
        assert seconds == 7
        if not left:
            raise Enough
        left.pop(0)()

    lines: list[Line] = []
    with Source(KEY, elsewhere.url, sleep=lambda _: None) as source, pytest.raises(Enough):
        lines.extend(follow(source, archive, every=7, sleep=sleep))  # what came before stays
    return lines


def lists_asked(elsewhere: Elsewhere) -> int:
    return elsewhere.asked["/chat/completions"]


@pytest.mark.parametrize("orders", [True, False])
def test_each_is_fetched_once_and_only_the_newest_page_is_asked_for(
    elsewhere: Elsewhere, tmp_path: Path, orders: bool
) -> None:
    elsewhere.orders = orders
    archive = Archive(tmp_path / "archive")
    pages: list[int] = []

    def more(*numbers: int) -> Callable[[], None]:
        def happen() -> None:
            pages.append(lists_asked(elsewhere))
            store(elsewhere, *numbers)

        return happen

    lines = followed(elsewhere, archive, more(), more(110, 111), more(), more(112))
    fetched = [line.id for line in lines if line.state == "fetched"]
    assert sorted(fetched) == sorted(f"chatcmpl-{n}" for n in range(113))
    # Two pages at first; then one, or two where the first brings something. A source that does
    # not order them is asked for all.
    assert pages == ([2, 3, 5, 6] if orders else [2, 4, 6, 8])
    assert not archive.changed()
    assert {line.state for line in followed(elsewhere, Archive(archive.root))} == {"kept"}


def test_what_failed_is_fetched_the_next_time_however_deep_it_lies(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "archive")
    elsewhere.odd["/chat/completions/chatcmpl-3"] = [refused(403, "Not yet.")]
    lines = followed(elsewhere, archive, lambda: None, lambda: None)
    assert [line.state for line in lines if line.id == "chatcmpl-3"] == ["failed", "fetched"]
    elsewhere.odd["/chat/completions"] = [refused(503, "Down.")] * 6
    down = followed(elsewhere, archive, lambda: store(elsewhere, 999))
    assert [line.state for line in down] == ["failed", "fetched", "kept"]


def test_a_source_that_stores_none_or_refuses_the_key_ends_it(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    for status in (401, 404):
        elsewhere.odd["/chat/completions"] = [refused(status, "No.")]
        with Source(KEY, elsewhere.url) as source, pytest.raises(SourceError):
            next(follow(source, Archive(tmp_path / "archive")))


def test_ctrl_c_ends_it_well(elsewhere: Elsewhere, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tunewright", "import", "openai", "follow"]
    place = ["--from-base-url", elsewhere.url, "--home", str(tmp_path), "--every", "1"]
    process = subprocess.Popen(
        [*command, *place],
        stdout=subprocess.PIPE,
        text=True,
        env={**environ, "OPENAI_API_KEY": KEY, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    told = [next(process.stdout) for _ in range(40)]
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(20) == 0
    [root] = (tmp_path / "imports").iterdir()
    kept = Archive(root)
    whole = kept.names("completions/*/completion.json")
    assert rest.splitlines()[-1] == f"Stopped: {len(whole)} fetched, 0 missing."
    assert len(whole) >= len(told)
    assert not kept.changed()
    assert not list(tmp_path.rglob("*.tmp-*"))
