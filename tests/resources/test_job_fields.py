"""A field of a job that the client gives is one line in JobSpec, and nothing else."""

import subprocess
import sys
from pathlib import Path

from tunewright.records import jobs

# Runs the package with that line in it.
PROGRAM = """
import importlib.util, json, sys, types
from pathlib import Path
source, home, root = sys.argv[1:]
sys.path.insert(0, root + "/tests"); sys.path.insert(0, root + "/docs")
import tunewright.records
name = "tunewright.records.jobs"
spec = importlib.util.spec_from_file_location(name, source)
module = importlib.util.module_from_spec(spec)
sys.modules[name] = tunewright.records.jobs = module
spec.loader.exec_module(module)

from servers import chats
from tunewright.api import openapi
from tunewright.api.calls import CALLS
from tunewright.app import Tunewright
from tunewright.errors import BadRequest
import parameters

with_file = Tunewright(home)
file = with_file.files.create(file=chats(12), purpose="fine-tune", filename="a.jsonl").id
given = {"model": "gpt-3.5-turbo", "training_file": file}
made = with_file.jobs.create(**given, colour={"name": "red", "depth": 3})
plain = with_file.jobs.create(**given)
with_file.close()
again = Tunewright(home)
try:
    again.jobs.create(**given, colour={"name": "red", "deep": 1})
    refused = None
except BadRequest as error:
    refused = error.param
call = next(call for call in CALLS if call.name == "fine_tuning.jobs.create")
schemas = openapi.document()["components"]["schemas"]
print(json.dumps({
    "made": made.wire()["colour"],
    "kept": again.jobs.retrieve(made.id).wire()["colour"],
    "listed": [job.wire()["colour"] for job in again.jobs.list().data],
    "refused": refused,
    "documented": ["colour" in schemas[name]["properties"] for name in ("JobRequest", "Job")],
    "parameters": [row.path for row in parameters.rows(call.takes, {}) if "colour" in row.path],
}))
"""

LINE = "    metadata: Metadata | None = None\n"
FIELD = "    colour: Colour | None = None\n"
CLASS = "class Colour(Request):\n    name: str\n    depth: int = 1\n\n\nclass JobSpec(Request):\n"


def test_a_field_of_a_job_is_one_line(tmp_path: Path) -> None:
    source = Path(jobs.__file__).read_text("utf-8")
    assert source.count(LINE) == 1
    changed = source.replace(LINE, LINE + FIELD).replace("class JobSpec(Request):\n", CLASS)
    (tmp_path / "jobs.py").write_text(changed, "utf-8")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROGRAM, tmp_path / "jobs.py", tmp_path / "home", root]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    red = '{"name": "red", "depth": 3}'
    assert done.stdout.strip() == (
        f'{{"made": {red}, "kept": {red}, "listed": [null, {red}], "refused": "colour.deep", '
        '"documented": [true, true], "parameters": ["colour", "colour.name", "colour.depth"]}'
    )
