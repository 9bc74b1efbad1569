"""The demo as a whole: it is the project's first impression."""

import re
import signal
import subprocess
import sys

import psutil
import pytest


@pytest.mark.slow
def test_the_demo_tells_the_whole_story_and_cleans_up(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    said = run("demo", seconds=280).stdout
    assert "60 rows: 60 fine" in said
    first, last = map(float, re.findall(r"Validation loss ([\d.]+) -> ([\d.]+)", said)[0])
    assert last < first
    assert re.search(r"The tuned model: ft:gpt-3.5-turbo:personal:sarcastic:\w+", said)
    assert "eleven hours on the plane" in said
    assert not list(tmp_path.glob("tunewright-demo-*"))


@pytest.mark.parametrize(
    "options",
    [
        (),
        pytest.param(("--keep", "--port", "0"), marks=pytest.mark.slow),
        pytest.param(("--home", "mine"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_demo_that_is_ended_leaves_no_server_and_no_folder(tmp_path, monkeypatch, options):
    """But for a folder that is to be kept, or was named."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    demo = subprocess.Popen(
        [sys.executable, "-m", "tunewright", "demo", *options], stdout=subprocess.PIPE, text=True
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
