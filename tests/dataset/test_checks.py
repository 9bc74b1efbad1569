"""What a check counts, warns of and says."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.conftest import write_model_of_words
from tunewright.dataset import checks, examples, notices
from tunewright.dataset.checks import check, examples_of, row_of
from tunewright.dataset.examples import ChatExample, CompletionExample
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer
from tunewright.tables import reading
from tunewright.tables.reading import lines

HOSTILE = Path(__file__).parents[1] / "hostile"


def chat(*turns: str) -> dict:
    roles = {"u": "user", "a": "assistant", "s": "system"}
    return {"messages": [{"role": roles[turn[0]], "content": turn[3:]} for turn in turns]}


@pytest.fixture
def checked(tmp_path, renderers):
    def run(*rows: object, wants="chat", **more):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return check(path, renderers[wants], wants=wants, **more)

    return run


def test_tokens_are_those_of_the_rows_that_training_makes(checked, renderers):
    renderer = renderers["chat"]
    one, two = chat("u: what?", "a: the answer"), chat("u: a", "a: b", "u: c", "a: d")
    found = checked(*[one, two] * 5)
    rows = [renderer.rows(ChatExample(row["messages"]), 1) for row in (one, two)]
    longest = [len(row[-1].prompt) + len(row[-1].answer) for row in rows]
    assert list(found.example_tokens) == longest * 5
    assert found.supervised_tokens == 5 * sum(len(row.answer) for pair in rows for row in pair)
    assert (found.tokens.min, found.tokens.max) == (min(longest), max(longest))
    assert found.tokens.total == 5 * sum(longest)
    assert found.epochs == 10
    assert found.trained_tokens() == 50 * sum(longest)
    assert found.trained_tokens(2) == 10 * sum(longest)
    assert found.error() is None


def test_metadata_says_who_wrote_a_row_and_is_not_trained_on(checked):
    row = chat("u: a", "a: b")
    plain, signed = checked(*[row] * 10), checked(*[{**row, "metadata": {"annotator": "ann"}}] * 10)
    assert signed.error() is None
    assert signed.tokens == plain.tokens
    pair = {"prompt": "a ->", "completion": " b", "metadata": {"annotator": "ann"}}
    assert checked(*[pair] * 10, wants="completion").error() is None
    bad = checked({**row, "metadata": ["ann"]}, {**row, "metadata": {"annotator": 7}})
    assert [(fault.code, fault.path) for fault in bad.problems] == [
        ("data_type", "$.metadata"),
        ("data_type", "$.metadata.annotator"),
    ]


def test_completions_are_counted_with_their_end(checked, renderers):
    found = checked(*[{"prompt": "a ->", "completion": " b"}] * 10, wants="completion")
    assert found.supervised_tokens == 10 * (renderers["completion"].count(" b") + 1)
    assert [f.code for f in found.findings] == ["few_examples"]


def said(found):
    return [f"{f.severity}: {f}" for f in found.findings if f.code != "few_examples"]


LONG = [
    chat("s: x", "u: a", "a:  " + "z " * 900),
    chat("u: " + "z " * 900, "a: late"),
]


def test_what_is_noticed_is_said_with_its_lines(checked):
    plain = chat("s: be brief", "u: a", "a: b")
    marked = chat("s: x", "u: what ends with <|im_end|>?", "a: \n ")
    late = chat("u: a", "a: b", "u: " + "z " * 900, "a: late")
    found = checked(*[plain] * 10, LONG[0], late, chat("s: x", "a: b", "s: y"), marked, cut=True)
    assert said(found) == [
        "warning: 1 example is longer than the 512 tokens that the model reads; the end is cut "
        + "off. (line 11)",
        "warning: 1 example has answers beyond the 512 tokens that the model reads; they are not "
        + "trained on. (line 12)",
        "warning: 1 example has no user message. (line 13)",
        "warning: 1 example has messages after the last answer; those are not trained on. Add the "
        + "answer, or remove what follows the last one. (line 13)",
        "warning: 1 example has an answer that is nothing but white space. Write the answer, or "
        + "remove the example. (line 14)",
        "warning: 1 example has special tokens of the base in a text; they are trained on as plain "
        + "text. Remove them where they are left over from a rendered template. (line 14)",
        "advice: 1 example has no system message, and others have one. When you use the model, "
        + "send the system message that the training rows have. (line 12)",
    ]
    assert found.tokens.max == 512
    assert found.error() is None


@pytest.mark.parametrize("code", notices.NOTICES)
def test_every_notice_has_its_plural(code):
    one, two = notices.Noticed(1, [3]), notices.Noticed(2, [3, 4])
    assert str(one.finding(code, 9)).startswith(("1 example ", "1 blank line "))
    assert str(two.finding(code, 9)).startswith(("2 examples ", "2 blank lines "))
    assert "(s)" not in str(two.finding(code, 9))


def test_text_that_the_base_cannot_read_is_counted(tmp_path: Path, checked) -> None:
    renderer = Renderer.load(write_model_of_words(tmp_path), chat=True)
    rows = [chat("u: hi", "a: hello")] * 8
    rows += [chat("u: hi 東京 🚀", "a: hello", "u: hi <unk>", "a: नमस्ते"), chat("u: hi", "a: ü")]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = check(path, renderer, wants="chat").notices["unknown_tokens"]
    # <unk> that is spelled out is text as well, and no word of this vocabulary.
    assert (found.count, found.lines, found.tokens) == (2, [9, 10], 5)
    said = str(found.finding("unknown_tokens", 512))
    assert "2 examples have text that the base cannot read: 5 tokens stand for" in said
    assert renderer.unknown(renderer.prompt(chat("u: hi 東京")["messages"])) == 1
    assert "unknown_tokens" not in checked(*rows).notices  # bytes write everything


def test_a_cut_never_takes_the_whole_answer(checked):
    found = checked(*[chat("u: a", "a: b")] * 10, *LONG, cut=True)
    [problem] = found.problems
    assert (problem.line, problem.code) == (12, "too_long")
    assert "lose the whole answer" in problem.message
    assert "data prepare" in problem.remedy
    assert "--drop-long" in problem.remedy


def test_long_examples_are_refused_with_what_a_cut_would_lose(checked, renderers):
    renderer = renderers["chat"]
    found = checked(*[chat("u: a", "a: b")] * 10, *LONG)
    lost = []
    for row, kept in zip(LONG, (1, 0), strict=True):
        [whole] = renderer.whole_rows(ChatExample(row["messages"]), 1)
        room = (renderer.context - len(whole.prompt)) * kept
        lost.append((len(whole.prompt) + len(whole.answer), len(whole.answer) - room))
        assert 0 < lost[-1][1] <= len(whole.answer)
    assert [p.code for p in found.problems] == ["too_long", "too_long"]
    assert [p.line for p in found.problems] == [11, 12]
    for problem, (tokens, tokens_lost) in zip(found.problems, lost, strict=True):
        assert f"has {tokens:,} tokens, the model reads 512" in problem.message
        whole = "the whole answer" if tokens == lost[1][0] else f"{tokens_lost:,} of its"
        assert f"would lose {whole}" in problem.message
    assert (found.examples, found.bad, found.lost_tokens) == (10, 2, sum(n for _, n in lost))
    error = found.error()
    assert error.code == "invalid_file_format"
    assert f"Cuts would lose {found.lost_tokens:,} supervised tokens in all." in error.message


def test_findings_name_byte_and_excerpt(tmp_path, renderers):
    path = tmp_path / "rows.jsonl"
    good = json.dumps(chat("u: ä", "a: b"), ensure_ascii=False).encode() + b"\r\n"
    bad = b'{"messages": [{"role": "bot", "content": "b"}]}\n'
    path.write_bytes(b"\xef\xbb\xbf" + good + bad + b'{"messages": "\xff"}\n{"a": nan}')
    role, _, text, value = check(path, renderers["chat"], wants="chat").problems
    second = 3 + len(good)
    assert (role.line, role.offset, role.path) == (2, second, "$.messages[0].role")
    assert role.excerpt == "'bot'"
    assert (text.line, text.offset) == (3, second + len(bad) + 14)
    assert path.read_bytes()[value.offset :].startswith(b"nan")
    assert "nan" in value.excerpt


def test_preference_rows_and_mixtures_are_named(checked):
    preferred = {"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []}
    trl = {"prompt": "a", "chosen": "b", "rejected": "c"}
    pair = {"prompt": "a", "completion": "b"}
    found = checked(*[chat("u: a", "a: b")] * 10, preferred, trl, pair)
    mixed, *whole = found.findings[:3]
    assert [(f.code, f.severity, f.lines) for f in whole] == [
        ("preference_row", "error", (11, 12)),
        ("wrong_form", "error", (13,)),
    ]
    assert whole[0].message.startswith("2 rows are in the preference (DPO) form;")
    assert whole[1].message.startswith("The row is in the prompt/completion form;")
    assert (mixed.code, mixed.line, mixed.count) == ("mixed_formats", None, 3)
    assert "10 chat, 2 preference (DPO) and 1 prompt/completion rows" in mixed.message


@pytest.mark.parametrize(
    ("rows", "param", "expected"),
    [
        (9, "training_file", [("invalid_n_examples", "error")]),
        (10, "training_file", [("few_examples", "advice")]),
        (50, "training_file", []),
        (1, "validation_file", []),
        (0, "validation_file", [("invalid_n_examples", "error")]),
    ],
)
def test_few_rows_are_an_error_and_then_advice(checked, rows, param, expected):
    found = checked(*[chat("u: a", "a: b")] * rows, param=param)
    assert [(f.code, f.severity) for f in found.findings] == expected


def test_a_system_message_that_nobody_has_is_not_missed(checked):
    found = checked(*[chat("u: a", "a: b")] * 12)
    assert found.notices["missing_system"].count == 12
    assert [f.code for f in found.findings] == ["few_examples"]


def test_too_few_examples_is_said_in_openais_words(checked):
    error = checked(*[chat("u: a", "a: b")] * 7).error()
    assert error is not None
    assert error.message == "Training file has 7 example(s), but must have at least 10 examples"
    assert (error.code, error.param) == ("invalid_n_examples", "training_file")


def test_a_validation_file_needs_one_example(checked):
    assert checked(chat("u: a", "a: b"), param="validation_file").error() is None
    error = checked(param="validation_file").error()
    assert error.message == "Validation file has 0 example(s), but must have at least 1 examples"
    assert (error.code, error.param) == ("invalid_n_examples", "validation_file")


def test_an_error_names_each_kind_of_problem_once(checked):
    bad = chat("u: a", "a: b")
    bad["messages"][1]["role"] = "bot"
    error = checked(*[chat("u: a", "a: b")] * 10, bad, bad, 7).error()
    assert error.code == "invalid_file_format"
    assert error.message == (
        "Training file has 3 bad rows of 13. Line 11, $.messages[1].role: 'bot' is not a role. "
        "Use system, user or assistant. (1 more of this kind.) Line 11, $.messages: No message has "
        "the role 'assistant': there is nothing to train on. Add the answer that you want. (1 more "
        "of this kind.) Line 13: The row is a number, not an object. Write it as "
        '{"messages": [{"role": "user", "content": "..."}, '
        '{"role": "assistant", "content": "..."}]}'
    )


def test_the_wrong_form_is_shown_the_right_one_once(checked):
    error = checked(*[{"prompt": "a", "completion": "b"}] * 12).error()
    assert error.message.count("12 rows are in the prompt/completion form") == 1
    assert error.message.count("tunewright data prepare ") == 1


def test_a_file_without_a_single_answer_to_learn_fails(checked):
    row = chat("u: a", "a: b")
    row["messages"][1]["weight"] = 0
    assert "no answer" in checked(*[row] * 10).error().message


def test_what_the_template_refuses_is_a_problem_of_its_row(tmp_path, model_directory):
    template = (
        "{% for m in messages %}{% if 'x' in m.content %}{{ raise_exception('no x here') }}"
        "{% endif %}{{ m.content }}</s>{% endfor %}"
    )
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((model_directory / name).read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    (tmp_path / "chat_template.jinja").write_text(template)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(chat("u: a", "a: b")) + "\n" + json.dumps(chat("u: x", "a: b")))
    found = check(path, Renderer.load(tmp_path, chat=True), wants="chat")
    assert (found.examples, found.bad, found.problems[0].line) == (1, 1, 2)
    assert found.problems[0].code == "template_refused"
    assert "no x here" in found.problems[0].message
    assert "Order the messages" not in found.problems[0].remedy


def test_findings_tell_everything_once(renderers):
    found = check(HOSTILE / "several-faults.jsonl", renderers["chat"], wants="chat")
    assert (found.rows, found.examples, found.bad, found.blank) == (13, 10, 2, 1)
    told = said(found)
    assert sum(line.startswith("error: line 3: Not valid JSON") for line in told) == 1
    assert any(line.startswith("error: line 5, $.messages[0].content:") for line in told)
    assert told[-1] == "advice: 1 blank line is skipped. (line 2)"


def test_examples_come_with_their_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\n{"prompt": "a", "completion": "b"}\n')
    assert list(examples_of(path, "completion")) == [(2, CompletionExample("a", "b"))]


def test_one_row_or_the_reason_why_not(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\n{"prompt": "a", "completion": "b"}\n{"prompt": "a"}')
    assert row_of(path, 2, "completion") == CompletionExample("a", "b")
    for number, reason in ((1, "is blank"), (3, "no 'completion'"), (4, "has no line 4")):
        with pytest.raises(BadRequest, match=reason):
            row_of(path, number, "completion")


def test_log_forging_keys_and_values_stay_on_one_line(checked):
    row = {"messages": [], 'a\n{"level": "error"}': 1, "x" * 5_000: 2}
    for line in checked(row, {"messages": [{"role": "us\ner", "content": "a\u202eb"}]}).problems:
        line = f"{line} {line.excerpt}"
        assert "\n" not in line
        assert "\u202e" not in line
        assert len(line) < 400


@given(data=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_the_check_stumble(data, renderers, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(data)
    for wants, renderer in renderers.items():
        found = check(path, renderer, wants=wants)
        assert found.rows == found.examples + found.bad + found.blank
        assert found.error() is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "role", "content", "name", "weight", "tools", "type", "text", "x"]
            ),
            inner | st.sampled_from(["user", "assistant", "system", "text"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(rows=st.lists(_JSON, max_size=5))
@settings(max_examples=300, deadline=None)
def test_no_value_makes_the_check_stumble(rows, renderers, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "value.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for wants, renderer in renderers.items():
        found = check(path, renderer, wants=wants)
        assert found.rows == found.examples + found.bad + found.blank


_ROW = st.dictionaries(
    st.sampled_from(["messages", "tools"]),
    st.lists(
        st.dictionaries(
            st.sampled_from(["role", "content", "name"]),
            st.sampled_from(["user", "assistant", "tool", "", None, 1, [], ["x"]]),
            min_size=2,
            max_size=2,
        ),
        max_size=3,
    ),
    max_size=2,
)


@given(row=_ROW)
@settings(max_examples=500, deadline=None)
def test_the_fast_way_takes_no_row_that_the_slow_way_refuses(row):
    if examples.is_plain(row):
        assert list(examples._chat(row)) == []


def test_the_fast_way_takes_plain_rows():
    assert examples.is_plain(chat("s: a", "u: b", "a: c"))
    assert not examples.is_plain(chat("u: b"))
    assert not examples.is_plain(chat("u: b", "a: "))


@given(value=_JSON)
@settings(max_examples=300, deadline=None)
def test_keys_are_counted_the_fast_way_as_the_slow_way(value):
    text = json.dumps(value)
    if "NaN" in text or "Infinity" in text:
        return
    value = json.loads(text)
    fast = reading._keys(value, 1)
    assert fast in (-1, text.count('": '))


@given(values=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=6))
def test_lines_are_cut_at_line_feeds_only(values, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "lines.jsonl"
    raw = [json.dumps(value, ensure_ascii=False).encode() for value in values]
    path.write_bytes(b"\r\n".join(raw))
    assert [line.value for line in lines(path)] == values


def test_a_check_stops_when_told_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"{}\n" * 100)
    asked = iter([False] * 40 + [True])
    with pytest.raises(checks.Interrupted):
        checks.check(path, None, wants="chat", should_stop=lambda: next(asked))
    asked = iter([False] * 40 + [True] + [False] * 100)
    going = checks.Checking(path, None, wants="chat")
    assert not going.go_on(lambda: next(asked))
    assert going.found.rows == 40
    assert going.go_on()
    assert (going.found.rows, going.found.bad) == (100, 100)


def test_a_check_stops_within_a_row_of_many_answers(tmp_path: Path, renderers) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(json.dumps(chat(*["u: a", "a: b"] * 40)).encode())
    whole = checks.check(path, renderers["chat"], wants="chat", cut=True)
    asked = iter([False] * 9 + [True])
    going = checks.Checking(path, renderers["chat"], wants="chat", cut=True)
    assert not going.go_on(lambda: next(asked))
    assert (going.found.rows, going.found.examples) == (1, 0)
    assert going.go_on()
    assert going.found.findings == whole.findings
    assert going.found.supervised_tokens == whole.supervised_tokens > 0
    assert going.found.lost_tokens == whole.lost_tokens > 0


def test_a_file_of_more_rows_than_anybody_has_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "MOST_ROWS", 15)
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"prompt": "a", "completion": "b"}\n' * 16)
    error = checks.check(path, None, wants="completion").error()
    assert error is not None
    assert "more than 15 rows" in error.message
    path.write_bytes(b'{"prompt": "a", "completion": "b"}\n' * 15)
    assert checks.check(path, None, wants="completion").error() is None
