"""Files, keys, models and jobs, as somebody at a terminal uses them."""

import json
import sys

import pytest

from tunewright import samples
from tunewright.cli import main


def test_files_from_upload_to_delete(run):
    id = run("files", "create", str(samples.CHATS)).stdout.strip()
    assert id.startswith("file-")
    assert id in run("files", "list").stdout
    record = json.loads(run("files", "get", id, "--json").stdout)
    assert record["bytes"] == samples.CHATS.stat().st_size
    assert run("files", "content", id).stdout == samples.CHATS.read_text("utf-8")
    run("files", "delete", id)
    assert json.loads(run("files", "list", "--json").stdout)["data"] == []


def test_a_key_is_shown_once_and_can_be_revoked(run):
    key = run("keys", "create", "laptop").stdout.strip()
    assert key.startswith("sk-tw-")
    [listed] = json.loads(run("keys", "list", "--json").stdout)
    assert listed["name"] == "laptop"
    assert key not in run("keys", "list").stdout
    run("keys", "revoke", listed["id"])
    assert json.loads(run("keys", "list", "--json").stdout)[0]["revoked_at"]


def test_keys_of_several_organisations(run):
    run("organisations", "create", "acme")
    assert run("organisations", "list").stdout.count("acme") == 1
    run("keys", "create", "ci", "--organisation", "acme", "--role", "member")
    run("keys", "create", "mine")
    listed = json.loads(run("keys", "list", "--json").stdout)
    assert [(key["name"], key["owner"]["name"], key["role"]) for key in listed] == [
        ("first key", "acme", "owner"),
        ("ci", "acme", "member"),
        ("mine", "personal", "owner"),
    ]
    assert len(json.loads(run("keys", "list", "--organisation", "acme", "--json").stdout)) == 2
    run("keys", "revoke", listed[0]["id"], "--organisation", "personal", code=1)
    run("keys", "revoke", listed[0]["id"], "--organisation", "acme")


def test_models_list_names_bases_and_what_aliases_stand_for(run):
    said = run("models", "list").stdout
    assert any("gpt-3.5-turbo" in line and "builtin-chat" in line for line in said.splitlines())


def test_models_verify_reads_every_file(run, server):
    """By the worker of a server that runs."""
    verify = ("models", "verify", "--home", str(server.home))
    found = json.loads(run(*verify, "--json").stdout)
    assert (found["status"], found["checked"], found["damaged"]) == ("done", found["models"], [])
    assert found["models"] >= 4
    said = f"The files of {found['models']} models are as they were written."
    assert said in run(*verify).stdout


def test_a_job_waits_for_a_server_and_can_be_cancelled(run):
    created = run("jobs", "create", "--training-file", str(samples.CHATS), "--n-epochs", "2")
    id = created.stdout.strip()
    assert "tunewright serve" in created.stderr
    job = json.loads(run("jobs", "get", id, "--json").stdout)
    assert job["method"]["supervised"]["hyperparameters"]["n_epochs"] == 2
    assert "2" in run("jobs", "get", id).stdout
    assert "is paused" in run("jobs", "pause", id).stdout
    assert "is resumed" in run("jobs", "resume", id).stdout
    assert "cancelled" in run("jobs", "cancel", id).stdout
    assert id in run("jobs", "list").stdout
    assert "cancelled" in run("jobs", "events", id).stdout
    assert "was cancelled" in run("jobs", "follow", id, code=1).stderr


@pytest.fixture(scope="module")
def used_home(tmp_path_factory):
    return tmp_path_factory.mktemp("cli") / "home"


@pytest.mark.parametrize(
    "arguments",
    [
        ("files", "get", "file-none"),
        ("files", "create", "no-such-file.jsonl"),
        ("files", "create", str(samples.CHATS), "--purpose", "king"),
        ("keys", "revoke", "key-none"),
        ("keys", "create", "k", "--organisation", "none"),
        ("keys", "create", "k", "--role", "king"),
        ("organisations", "create", "A B"),
        ("models", "add", "a b", "."),
        ("models", "add", "mine", "/"),
        ("models", "delete", "none"),
        ("models", "delete", "builtin-chat"),
        ("jobs", "follow", "ftjob-none"),
        ("jobs", "create", "--training-file", "file-none"),
        ("jobs", "create", "--training-file", str(samples.CHATS), "--n-epochs", "0"),
        ("jobs", "create", "--training-file", str(samples.CHATS), "--model", "none"),
        ("check", "no-such-file.jsonl"),
        ("check", str(samples.CHATS), "--model", "builtin-static"),
        ("embed",),
        ("embed", ""),
        ("embed", "text", "--output", "vectors.txt"),
        ("embed", "--file", str(samples.REVIEWS), "--column", "none"),
        ("serve", "--host", "0.0.0.0"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_status_1(used_home, arguments, monkeypatch, capsys):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(used_home))
    monkeypatch.setattr(sys, "argv", ["tunewright", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert capsys.readouterr().out == ""
    assert str(ended.value.code).startswith("Error: ")  # Python prints it and ends with status 1
    assert "\n" not in str(ended.value.code)


def test_an_error_goes_to_standard_error_with_status_1(run):
    done = run("files", "get", "file-none", code=1)
    assert done.stdout == ""
    assert done.stderr == "Error: No such File object: file-none (param: id)\n"


def test_a_refused_job_leaves_no_upload(run):
    run("jobs", "create", "--training-file", str(samples.CHATS), "--model", "none", code=1)
    assert json.loads(run("files", "list", "--json").stdout)["data"] == []


def test_an_unusable_setting_is_one_line(run, home):
    home.mkdir()
    (home / "settings.toml").write_text("port = 'high'\n")
    assert "'port'" in run("keys", "list", code=1).stderr
