"""What is shown of a job while it runs."""

import pytest

from tunewright.cli.follow import Watch, follow, outcome, sparkline
from tunewright.cli.terminal import duration
from tunewright.errors import JobFailed


def message(text, level="info", at=0):
    return {
        "id": text, "type": "message", "message": text, "level": level, "created_at": at, "data": {}
    }  # fmt: skip


def metrics(step, total=100, at=0, **data):
    return {
        **message(f"Step {step}/{total}", at=at),
        "type": "metrics",
        "data": {"step": step, "total_steps": total, "train_loss": 1 / step, **data},
    }


def test_time_left_is_by_the_events_own_times():
    watch = Watch("ftjob-1")
    watch.take(metrics(1, at=1000))
    assert watch.seconds_left() is None
    watch.take(metrics(26, at=1050, tokens_per_second=1234.5))
    assert watch.seconds_left() == 148  # 2 seconds a step, 74 steps
    assert watch.facts() == ["1,234 tokens/s", "2:28 left"]


def test_the_whole_files_validation_loss_counts_before_the_batchs():
    watch = Watch("ftjob-1")
    watch.take(metrics(1, valid_loss=2.0))
    watch.take(metrics(2, valid_loss=1.5, full_valid_loss=1.6))
    watch.take(metrics(3))
    assert watch.valid == [2.0, 1.6]


def test_plain_lines_show_every_message_and_about_ten_steps(capsys):
    follow("ftjob-1", [message("begin"), *(metrics(n) for n in range(1, 101)), message("end")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("begin")
    assert lines[-1].endswith("end")
    assert 10 <= len(lines) - 2 <= 12


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([1.0], "▁"), ([2.0, 2.0], "▁▁"), ([1.0, 2.0], "▁█"), ([8.0, 1.0, 1.0], "█▁▁")],
)
def test_sparkline(values, drawn):
    assert sparkline(values) == drawn


def test_a_long_course_fits_the_width():
    drawn = sparkline(range(1000), width=8)
    assert drawn == "▁▂▃▄▅▆▇█"


def test_durations():
    assert [duration(s) for s in (0, 65, 3725)] == ["0:00", "1:05", "1:02:05"]


def test_a_failed_job_is_an_error_with_its_code():
    error = {"code": "invalid_n_examples", "message": "too few", "param": "training_file"}
    with pytest.raises(JobFailed, match="too few") as failed:
        outcome({"id": "ftjob-1", "status": "failed", "error": error}, Watch("ftjob-1"))
    assert failed.value.code == "invalid_n_examples"
