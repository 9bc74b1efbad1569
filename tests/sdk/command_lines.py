"""The command lines that SDK 0.28.1 and 1.109.1 bring, run in one process.

OPENAI_API_BASE=... OPENAI_BASE_URL=... OPENAI_API_KEY=... python command_lines.py DIRECTORY JOB
with mydata.jsonl in DIRECTORY and a job that has succeeded. Prints the commands that worked.
"""

import contextlib
import io
import json
import os
import re
import sys

import openai

OLD = openai.__version__.startswith("0.")
if OLD:
    from openai._openai_scripts import main
else:
    from openai.cli import main

directory, job = sys.argv[1:]
path = os.path.join(directory, "mydata.jsonl")
worked = []


def run(command: str, *more: str) -> str:
    """What one command prints. Both kinds of main end with an exit or say that they failed."""
    sys.argv = ["openai", "api", command, *more]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        assert not main(), (command, out.getvalue())
    worked.append(command)
    return out.getvalue()


def new_id(printed: str, prefix: str) -> str:
    return re.search(rf'"id": ?"({prefix}[^"]+)"', printed)[1]


if OLD:
    # It first asks for a file whose id is the path, and uploads when that is not found.
    made = run("fine_tuning.job.create", "-t", path, "-m", "gpt-3.5-turbo", "--n_epochs", "50")
    fresh = new_id(made, "ftjob-")
    assert fresh in run("fine_tuning.job.list")
    assert '"object": "fine_tuning.job"' in run("fine_tuning.job.get", "-i", fresh)
    assert "Created fine-tuning job" in run("fine_tuning.job.events", "-i", fresh)
    assert '"status": "cancelled"' in run("fine_tuning.job.cancel", "-i", fresh)
    assert run("fine_tuning.job.results", "-i", job).startswith("step,train_loss,train_accuracy")
    assert "mydata.jsonl" in run("files.list")
    # It sends null for everything that was not given.
    assert run("chat_completions.create", "-m", "gpt-3.5-turbo", "-g", "user", "Hi", "-M", "3")
    file = new_id(run("files.create", "-f", path, "-p", "fine-tune"), "file-")
    assert '"processed"' in run("files.get", "-i", file)
    run("files.delete", "-i", file)
    assert "builtin-chat" in run("models.list")
    assert "gpt-3.5-turbo" in run("models.get", "-i", "gpt-3.5-turbo")
else:
    file = new_id(run("files.create", "-f", path, "-p", "fine-tune"), "file-")
    made = run(
        "fine_tuning.jobs.create", "-m", "gpt-3.5-turbo", "-F", file, "-H", '{"n_epochs":50}'
    )
    fresh = new_id(made, "ftjob-")
    assert fresh in run("fine_tuning.jobs.list", "-l", "5")
    assert fresh in run("fine_tuning.jobs.retrieve", "-i", fresh)
    assert "Created fine-tuning job" in run("fine_tuning.jobs.list_events", "-i", fresh)
    assert "cancelled" in run("fine_tuning.jobs.cancel", "-i", fresh)
    # files.retrieve and .delete are left out: they ask for the arguments of files.create.
    assert file in run("files.list")
    assert "builtin-chat" in run("models.list")
    assert "gpt-3.5-turbo" in run("models.retrieve", "-i", "gpt-3.5-turbo")
    run("completions.create", "-m", "babbage-002", "-p", "One", "-M", "3")
    run("chat.completions.create", "-m", "gpt-3.5-turbo", "-g", "user", "Hi", "-M", "3")
print(json.dumps({"version": openai.__version__, "commands": worked}))
