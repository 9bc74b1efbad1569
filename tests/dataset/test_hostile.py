"""The table of tests/hostile, and files too large to keep there."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tunewright.dataset.checks import check, examples_of
from tunewright.errors import JobFailed

HOSTILE = Path(__file__).parents[1] / "hostile"
CASES = json.loads((HOSTILE / "cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_every_row_is_accounted_for(case, renderers):
    found = check(HOSTILE / case["file"], renderers[case["wants"]], wants=case["wants"])
    lines = defaultdict(set)
    for code, at in ((fault.code, noticed.lines) for fault, noticed in found.layouts.items()):
        lines[code].update(at)
    for problem in found.problems:
        lines[problem.code].add(problem.line)
        assert problem.path.startswith("$")
        assert problem.message.isprintable()
        assert problem.remedy
    assert {code: sorted(at) for code, at in lines.items()} == case["codes"]
    assert (found.examples, found.bad, found.blank) == (case["ok"], case["bad"], case["blank"])
    assert found.rows == found.examples + found.bad + found.blank
    assert set(found.notices) - {"missing_system"} == set(case["notices"])
    error = found.error()
    assert (error and error.code) == case["error"]
    assert all(f"{f} {f.excerpt}".isprintable() for f in found.findings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_the_trainer_reads_what_passed_and_stops_at_what_did_not(case):
    if {"wrong_format", "tools_not_supported"} & set(case["codes"]):
        return  # found by looking at the file, or by rendering: the trainer does that elsewhere
    read = examples_of(HOSTILE / case["file"], case["wants"])
    if case["codes"]:
        first = min(line for lines in case["codes"].values() for line in lines)
        with pytest.raises(JobFailed, match=f"line {first}"):
            list(read)
    else:
        assert len(list(read)) == case["ok"]


def test_every_file_is_in_the_table():
    assert {path.name for path in HOSTILE.glob("*.jsonl")} == {case["file"] for case in CASES}


# In a process of its own: the peak of this one may have been reached long ago.
_PEAK = """
import resource, sys
from pathlib import Path
from tunewright.dataset.checks import check
from tunewright.rendering import Renderer
renderer = Renderer.load(Path(sys.argv[1]), chat=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = check(Path(sys.argv[2]), renderer, wants="chat")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(found.rows, found.examples, ",".join(found.counts), (peak - before) // 1024)
"""


def check_apart(model: Path, path: Path) -> tuple[int, int, str, int]:
    """Rows, examples, codes of problems, and MiB that the check took at its peak."""
    run = subprocess.run(
        [sys.executable, "-c", _PEAK, str(model), str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
    )
    rows, examples, codes, peak = run.stdout.rstrip("\n").split(" ")
    return int(rows), int(examples), codes, int(peak)


def test_a_line_of_100_mb_is_refused_in_flat_memory(tmp_path, model_directory):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write((HOSTILE / "good-10.jsonl").read_bytes() + b'{"messages": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + (HOSTILE / "good-10.jsonl").read_bytes())
    rows, examples, codes, peak = check_apart(model_directory, path)
    assert (rows, examples, codes) == (21, 20, "line_too_long")
    assert peak < 60


def test_a_line_of_16_mib_is_still_read(tmp_path, model_directory):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"messages": "' + b"x" * (16 * 2**20 - 16) + b'"}\r\n')
        file.write(b'{"messages": "' + b"x" * (16 * 2**20 - 15) + b'"}')
    *_, codes, _ = check_apart(model_directory, path)
    assert codes == "missing_messages_list,line_too_long"


@pytest.mark.slow
def test_200_mb_of_good_lines_are_checked_in_flat_memory(tmp_path, model_directory):
    # Most of it in a name, which this template does not render: tokenizing 200 MB takes minutes.
    asked = {"role": "user", "content": "why is the sky blue? " * 20, "name": "x" * 40_000}
    line = json.dumps({"messages": [asked, {"role": "assistant", "content": "ok"}]}).encode()
    count = 200_000_000 // len(line) + 1
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.writelines(line + b"\n" for _ in range(count))
    rows, examples, codes, peak = check_apart(model_directory, path)
    assert (rows, examples, codes) == (count, count, "")
    assert peak < 60


def test_problems_are_kept_up_to_a_thousand_and_all_are_counted(tmp_path, renderers):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"{}\n" * 5_000)
    found = check(path, renderers["chat"], wants="chat")
    assert (len(found.problems), found.counts["missing_messages_list"]) == (1_000, 5_000)
    assert found.bad == found.rows == 5_000
    assert found.first(20)[1] == 4_980
