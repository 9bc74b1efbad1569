"""The check on the command line: for people, for machines, as a report, and with a repair."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from tunewright import samples


def test_check_accounts_for_every_row_and_draws_how_they_are_spread(run) -> None:
    done = run("check", str(samples.CHATS), "--validation-file", str(samples.VALIDATION))
    assert "120 rows: 120 fine, 0 bad, 0 blank" in done.stdout
    assert "12 rows: 12 fine" in done.stdout
    assert re.search(r"per example +min +p5 +median +mean +p95 +max +total", done.stdout)
    bars = [int(n) for n in re.findall(r"█[█▏▎▍▌▋▊▉]* +(\d+)", done.stdout)]
    assert bars
    assert sum(bars) <= (120 + 12) * 3


def test_check_names_the_line_of_a_problem(run, tmp_path: Path) -> None:
    rows = samples.CHATS.read_text("utf-8").splitlines()
    rows[6] = '{"messages": [{"role": "robot", "content": "beep"}]}'
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(rows), "utf-8")
    done = run("check", str(path), code=1)
    assert "120 rows: 119 fine, 1 bad" in done.stdout
    assert "line 7, $.messages[0].role" in done.stdout
    assert "invalid_file_format" in done.stderr


def test_check_cuts_a_long_list_of_problems(run, tmp_path: Path) -> None:
    path = str(tmp_path / "numbers.jsonl")
    Path(path).write_text("\n".join(map(str, range(24))))
    assert "4 more errors: --all" in run("check", path, code=1).stdout
    assert run("check", path, "--all", code=1).stdout.count("error: line") == 24


def test_a_repaired_copy_as_json_and_as_a_report(run, tmp_path: Path) -> None:
    """Planted: a mark, a blank line, a duplicate, a row of the validation file, and markup."""
    rows = samples.CHATS.read_bytes().splitlines()
    forged = b'{"messages": [{"role": "<script>alert(1)</script>", "content": "</title>"}]}'
    path, out, report = (tmp_path / name for name in ("a&b.jsonl", "out&.jsonl", "report.html"))
    held_out = samples.VALIDATION.read_bytes().splitlines()[:1]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join([*rows, b"", rows[0], *held_out, forged]))
    done = run(
        *("check", str(path), "--validation-file", str(samples.VALIDATION), "--json"),
        *("--fix", str(out), "--html", str(report)),
        code=1,
    )
    training, validation = json.loads(done.stdout)["data"]
    assert (training["file"], training["purpose"]) == ("out&.jsonl", "training_file")
    assert (training["rows"], training["examples"], training["bad"]) == (121, 120, 1)
    assert training["fit"] is False
    assert training["error"]["code"] == "invalid_file_format"
    first = training["findings"][0]
    assert (first["code"], first["line"], first["severity"]) == ("unrecognized_role", 121, "error")
    assert training["tokens"]["total"] > training["supervised_tokens"]["total"] > 0
    assert sum(training["tokens"]["histogram"]["counts"]) == 120
    assert training["openai"]["encoding"] == "cl100k_base"
    assert training["openai"]["examples"] == 120
    assert validation["fit"] is True
    assert "exact duplicates dropped: 1" in done.stderr
    assert "rows dropped that are in the validation file too: 1" in done.stderr

    page = report.read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<title>Check of out&amp;.jsonl</title>" in page
    assert not re.search(r"(src|href)=|url\(|@import", page), "self-contained"
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 10  # five of each file
    assert all(len(ET.fromstring(picture)) > 2 for picture in pictures)

    assert "exists already" in run("check", str(path), "--fix", str(out), code=1).stderr


def test_a_row_is_shown_as_training_reads_it(run, tmp_path: Path) -> None:
    from tunewright.builtin import CHAT
    from tunewright.dataset.examples import ChatExample
    from tunewright.rendering import Renderer

    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "No.", "weight": 0},
        {"role": "user", "content": "Really \x1b[31mred?"},
        {"role": "assistant", "content": "Höchst 東京."},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n" + json.dumps({"messages": messages}), "utf-8")
    asked = ("data", "render", str(path), "--line")
    [row] = json.loads(run(*asked, "2", "--json").stdout)["rows"]
    [made] = Renderer.load(CHAT, chat=True).rows(ChatExample(messages), 2)
    assert [token["id"] for token in row] == [*made.prompt, *made.answer]
    assert [token["id"] for token in row if token["supervised"]] == made.answer
    shown = run(*asked, "2").stdout
    assert "\x1b" not in shown
    context, _, supervised = shown.partition("-- supervised --\n")
    assert "No." in context
    assert supervised.startswith("Höchst 東京.")
