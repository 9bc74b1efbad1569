"""Epochs, distributions, and the cookbook's count against its printed figures."""

import json
from array import array

import pytest
import tiktoken

from servers import needs_data
from tunewright.dataset.checks import check
from tunewright.dataset.tokens import distribution, epochs
from tunewright.records.checks import Distribution
from tunewright.vocabularies import PUBLISHED, Encoding, open_encoding
from tunewright.vocabularies.finding import find, ranks


@pytest.mark.parametrize(
    ("examples", "expected"),
    [(0, 25), (1, 25), (4, 25), (5, 20), (10, 10), (33, 3), (34, 3), (8_333, 3), (8_334, 2),
     (12_501, 1), (25_001, 1), (10**6, 1)],
)  # fmt: skip
def test_epochs_follow_openais_rule(examples, expected):
    assert epochs(examples) == expected


def test_a_distribution_has_true_quantiles():
    spread = distribution(array("I", range(101)))
    assert (spread.p5, spread.median, spread.p95) == (5, 50, 95)
    assert (spread.min, spread.max, spread.mean, spread.total) == (0, 100, 50, 5_050)
    assert spread.histogram.edges == list(range(0, 111, 10))
    assert spread.histogram.counts == [10] * 10 + [1]
    assert distribution(array("I")) == Distribution()


def test_one_long_example_does_not_hide_the_others():
    spread = distribution(array("I", [*range(10, 110), 9_000]))
    edges, counts = spread.histogram.edges, spread.histogram.counts
    assert sum(counts) == 101
    assert counts[-1] == 1
    assert edges[-1] == 9_001
    assert edges[-2] <= 160
    assert len(counts) >= 8


@pytest.mark.parametrize("values", [[7], [0, 0, 0], [5, 6], [2**31] * 3])
def test_every_value_is_in_a_bin(values):
    histogram = distribution(array("I", values)).histogram
    assert sum(histogram.counts) == len(values)
    assert len(histogram.edges) == len(histogram.counts) + 1


@pytest.fixture(scope="module")
def encoding(tmp_path_factory) -> Encoding:
    return open_encoding("cl100k_base", tmp_path_factory.mktemp("vocabularies"))


# Five chats, each message a role and how many words it has; "word word" is two tokens, each role is
# one. An example costs 3, and each of its messages 3, its role and its words.
CHATS = [
    [("system", 5), ("user", 4), ("assistant", 7)],  # 3 + 3 * 4 + 16 = 31
    [("user", 6), ("assistant", 2)],  # 3 + 2 * 4 + 8 = 19
    [("system", 3), ("assistant", 10)],  # 3 + 2 * 4 + 13 = 24
    [("system", 1), ("user", 2), ("assistant", 3), ("user", 4), ("assistant", 5)],  # 3 + 20 + 15
    [("system", 2), ("user", 10), ("assistant", 5_000)],  # 3 + 12 + 5,012 = 5,027, 4,096 billed
]


def test_a_files_figures_are_the_cookbooks(encoding, renderers, tmp_path):
    chats = [
        [{"role": role, "content": " ".join(["word"] * words)} for role, words in chat]
        for chat in CHATS
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(json.dumps({"messages": chat}) for chat in chats), "utf-8")
    found = check(path, renderers["chat"], wants="chat", openai=encoding)
    counted = found.openai
    assert counted is not None
    assert (counted.encoding, counted.examples) == ("cl100k_base", 5)
    tokens = counted.tokens  # 19, 24, 31, 38 and 5,027
    assert (tokens.min, tokens.median, tokens.max, tokens.total) == (19, 31, 5_027, 5_139)
    assert (tokens.p5, tokens.p95) == pytest.approx((19 + 0.2 * 5, 38 + 0.8 * 4_989))
    answers = counted.assistant_tokens  # 2, 7, 8, 10 and 5,000
    assert (answers.min, answers.median, answers.max, answers.total) == (2, 8, 5_000, 5_027)
    assert (counted.billable_tokens, counted.n_epochs) == (19 + 24 + 31 + 38 + 4_096, 20)
    assert counted.trained_tokens == 20 * 4_208
    missing = {code: notice.count for code, notice in found.notices.items()}
    assert (missing["missing_system"], missing["missing_user"]) == (1, 1)


def test_the_cookbooks_figures(encoding, renderers):
    """Of its own file, where the development data is there."""
    path = needs_data("toy_chat_fine_tuning.jsonl")
    found = check(path, renderers["chat"], wants="chat", openai=encoding)
    counted = found.openai
    assert counted is not None
    assert (counted.encoding, counted.examples) == ("cl100k_base", 5)
    tokens = counted.tokens
    assert (tokens.min, tokens.median, tokens.max, tokens.total) == (26, 45, 8_032, 8_242)
    assert (tokens.p5, tokens.p95) == pytest.approx((26.4, 6_447.8))
    answers = counted.assistant_tokens
    assert (answers.min, answers.median, answers.max, answers.total) == (4, 10, 8_000, 8_051)
    assert (counted.billable_tokens, counted.n_epochs) == (4_306, 20)
    assert counted.trained_tokens == 86_120
    missing = {code: notice.count for code, notice in found.notices.items()}
    assert (missing["missing_system"], missing["missing_user"]) == (1, 1)


def test_each_example_counts_as_the_cookbook_counts_it(encoding, tmp_path):
    """With the cookbook's own loop as the oracle; also texts that spell special tokens."""
    texts = [
        "Hi",
        "",
        "a  b\n\n c",
        "naïve 東京 🚀",
        "it's <|endoftext|> and <|fim_prefix|>",
        " " * 9,
    ]
    rows = [
        {"messages": [
            {"role": "user", "name": "ann", "content": f"{number} {text or 'x'}"},
            {"role": "assistant", "content": f"{text}{number}", "weight": 1},
        ]}
        for number, text in enumerate(texts * 3)
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    reference = tiktoken.Encoding(
        "reference",
        pat_str=PUBLISHED["cl100k_base"].pattern,
        mergeable_ranks=ranks("cl100k_base", find("cl100k_base", tmp_path) or b""),
        special_tokens={},
    )

    def count(row: dict) -> tuple[int, int]:
        tokens, answers = 3, 0
        for message in row["messages"]:
            tokens += 3 + ("name" in message)
            for key, value in message.items():
                if key != "weight":
                    tokens += len(reference.encode(value))
            if message["role"] == "assistant":
                answers += len(reference.encode(message["content"]))
        return tokens, answers

    expected = list(zip(*map(count, rows), strict=True))
    counted = check(path, None, wants="chat", openai=encoding).openai
    assert counted.tokens == distribution(array("I", expected[0]))
    assert counted.assistant_tokens == distribution(array("I", expected[1]))


def test_batches_keep_the_order_and_lose_nothing(encoding, tmp_path, monkeypatch):
    monkeypatch.setattr("tunewright.dataset.cookbook._CHARACTERS", 40)
    rows = [{"prompt": "a " * size, "completion": " b" * size} for size in range(1, 60)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    counted = check(path, None, wants="completion", openai=encoding).openai
    assert (counted.examples, counted.assistant_tokens.total) == (59, sum(range(1, 60)))


def test_great_is_six_tokens(encoding):
    assert encoding.counts(["tiktoken is great!"]).tolist() == [6]
    assert encoding.encode("tiktoken is great!") == [83, 1609, 5963, 374, 2294, 0]
