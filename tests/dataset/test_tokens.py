"""Epochs, distributions, and the cookbook's count against its printed figures."""

import shutil
from array import array
from pathlib import Path

import pytest

from tunewright.dataset.checks import examples_of
from tunewright.dataset.examples import ChatExample
from tunewright.dataset.tokens import Distribution, cookbook_tokens, epochs

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("examples", "expected"),
    [(0, 25), (1, 25), (4, 25), (5, 20), (10, 10), (33, 3), (34, 3), (8_333, 3), (8_334, 2),
     (12_501, 1), (25_001, 1), (10**6, 1)],
)  # fmt: skip
def test_epochs_follow_openais_rule(examples, expected):
    assert epochs(examples) == expected


def test_a_distribution_has_true_quantiles():
    spread = Distribution.of(array("I", range(101)))
    assert (spread.p5, spread.median, spread.p95) == (5, 50, 95)
    assert (spread.min, spread.max, spread.mean, spread.total) == (0, 100, 50, 5_050)
    assert Distribution.of(array("I")) == Distribution()


def test_the_cookbooks_figures(tmp_path, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    path, vocabularies = SHARED / "toy_chat_fine_tuning.jsonl", SHARED / "tiktoken"
    if not path.is_file():
        pytest.skip("the shared data folder is absent")
    shutil.copytree(vocabularies, tmp_path / "cache")  # tiktoken deletes what it finds corrupt
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    encode = tiktoken.get_encoding("cl100k_base").encode
    examples = [example for _, example in examples_of(path, "chat")]
    counts = [cookbook_tokens(e.messages, encode) for e in examples if isinstance(e, ChatExample)]
    assert counts == [(45, 10), (111, 28), (26, 9), (28, 4), (8_032, 8_000)]
    billable = sum(min(4_096, total) for total, _ in counts)
    assert (billable, epochs(len(counts)), billable * epochs(len(counts))) == (4_306, 20, 86_120)
