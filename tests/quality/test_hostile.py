"""No file breaks the judgement."""

from pathlib import Path

import pytest

from quality.measuring import embedded
from quality.planted import chat
from tunewright import Tunewright
from tunewright.quality.judging import judge

HOSTILE = Path(__file__).parents[1] / "hostile"


def test_every_hostile_file_is_judged(tmp_path: Path) -> None:
    """Alone, and against each other as what is held out."""
    tw = Tunewright(tmp_path / "home")
    try:
        files = sorted(HOSTILE.glob("*.jsonl"))
        assert len(files) > 50
        for at, file in enumerate(files):
            form = "completion" if at % 2 else "chat"
            findings = tw.judging.judge(file, form, files[at - 1])
            assert all(finding.severity != "error" for finding in findings), file
        same = tw.judging.judge(HOSTILE / "all-identical.jsonl", "chat")
        assert [finding.code for finding in same][:1] == ["duplicate_example"]
    finally:
        tw.close()


@pytest.mark.slow
@pytest.mark.parametrize("unit", [" ", "\n", "a", "(", '"', "1", "您", "\t\n"])
def test_time_does_not_grow_with_the_square_of_a_text(unit: str) -> None:
    """A pattern that reads a run once for each of its places would take minutes here."""
    row = chat(f"As you said, {unit * 100_000}x", f"You cannot {unit * 100_000}x")
    judge(embedded([row] + [chat(f"{n}", "Yes, I will send it (soon).") for n in range(10)]))
