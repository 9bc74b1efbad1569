"""Two programs with one home: whoever remains does the work."""

import subprocess
import sys
from pathlib import Path

import pytest

from servers import chats
from tunewright import Tunewright

FIRST = """
import sys, time
from tunewright import Tunewright
with Tunewright(sys.argv[1]):
    print("runs", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_who_remains_takes_over(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", FIRST, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "runs\n"
        with Tunewright(home) as tw:
            assert tw.processes.others_running()
            first.kill()
            first.wait()
            file = tw.files.create(file=chats(3), purpose="fine-tune", filename="few.jsonl").id
            job = tw.jobs.create(model="gpt-3.5-turbo", training_file=file)
            assert tw.jobs.wait(job.id).status == "failed", "it was checked: three rows are too few"
