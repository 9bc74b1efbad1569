"""Two processes that share the rows of every step end where one would."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import FORKS, Heard, chat, colours, follow_without_memory

from tunewright.errors import JobFailed
from tunewright.training import Stopped, loop
from tunewright.training.ranks import Ranks, joined
from tunewright.training.recipe import Recipe
from tunewright.training.report import Started, Step
from tunewright.training.supervised import train

Make = Callable[..., Recipe]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next((folder / "model").glob("*model.safetensors")))


@pytest.mark.parametrize("adaptation", ["lora", pytest.param("full", marks=pytest.mark.slow)])
def test_two_processes_end_where_one_does(recipe: Make, tmp_path: Path, adaptation: str) -> None:
    # Seven rows in steps of three: no two steps divide evenly, the last has one row for two.
    given = recipe([*colours(6), chat("x", "red " * 20)], batch_size=3, adaptation=adaptation)
    heard = {count: Heard() for count in (1, 2)}
    for count, said in heard.items():
        together = given.model_copy(update={"processes": count})
        (tmp_path / str(count)).mkdir()
        (tmp_path / str(count) / "recipe.json").write_text(together.model_dump_json())
        train(together, tmp_path / str(count), said)
    for name, expected in weights(tmp_path / "1").items():
        torch.testing.assert_close(weights(tmp_path / "2")[name], expected, rtol=1e-3, atol=1e-5)
    one, two = ([s.train_loss for s in said.of(Step)] for said in heard.values())
    assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_as_many(recipe: Make, said: Heard, tmp_path: Path) -> None:
    given = recipe(processes=2)
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "recipe.json").write_text(given.model_dump_json())
    with pytest.raises(Stopped):
        train(given, folder, said, lambda: len(said.of(Step)) == 2)
    train(given, folder, said)
    assert said.of(Started)[1].resumed_from == 2
    assert list(dict.fromkeys(s.step for s in said.of(Step))) == list(range(1, 7))


@pytest.mark.slow
def test_a_failure_ends_all(recipe: Make, said: Heard, tmp_path: Path) -> None:
    given = recipe(processes=2, adaptation="full", learning_rate_multiplier=1e38, n_epochs=9)
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "recipe.json").write_text(given.model_dump_json())
    with pytest.raises(JobFailed, match="diverged"):
        train(given, tmp_path / "task", said)


@pytest.mark.slow
def test_where_the_others_memory_does_not_suffice_the_leader_says_what_would(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The longest row of the only step is the leader's, and fits; the next one is the other's.
    given = recipe([*colours(6), chat("a", "b" * 300), chat("a", "b" * 290)], batch_size=8)
    meeting = tmp_path / "meeting"

    @contextlib.contextmanager
    def lead(*_: object) -> Iterator[Ranks]:
        child = FORKS.Process(target=follow_without_memory, args=(given, tmp_path, meeting, 100))
        child.start()
        try:
            with joined(Ranks(0, 2), meeting) as ranks:
                yield ranks
        finally:
            child.join()

    monkeypatch.setattr(loop, "lead", lead)
    with pytest.raises(JobFailed, match=r"\(line 8\).*An example of \d+ tokens fits") as failed:
        train(given, tmp_path / "task", said)
    assert failed.value.code == "out_of_memory"
    fits = int(failed.value.message.partition("An example of ")[2].split()[0])
    assert 50 < fits <= 100


def test_rows_are_shared_out_once_and_evenly(recipe: Make) -> None:
    from tunewright.rendering import Renderer
    from tunewright.training.examples import read

    given = recipe(colours(11))
    rows = read(given.training_file, Renderer.load(given.base, chat=True), "chat").all
    shares = [Ranks(rank, 4).share(rows) for rank in range(4)]
    assert sorted(row.line for share in shares for row in share) == [row.line for row in rows]
    assert {len(share) for share in shares} == {2, 3}
