"""What a run is resumed from, after anything."""

import contextlib
import hashlib
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import FORKS, Heard, colours, train_and_send

from tunewright import durable
from tunewright.training import Stopped, checkpoints
from tunewright.training.recipe import Recipe
from tunewright.training.report import Checkpoint, Message, Said, Started, Step
from tunewright.training.run import prepare
from tunewright.training.supervised import METHOD, train

Make = Callable[..., Recipe]


def digests(model: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in model.glob("*.safetensors")
    }


@pytest.mark.parametrize("adaptation", ["lora", "full"])
@pytest.mark.parametrize("stops", [[1], [3], [2, 5, 6]])
def test_a_stopped_run_ends_byte_equal(
    recipe: Make, tmp_path: Path, adaptation: str, stops: list[int]
) -> None:
    given = recipe(validation=colours(3), adaptation=adaptation, n_epochs=3)
    train(given, tmp_path / "whole", Heard())
    said = Heard()
    for stop in stops:
        with pytest.raises(Stopped):
            train(
                given,
                tmp_path / "task",
                said,
                lambda stop=stop: getattr(said[-1], "step", 0) >= stop,
            )
        torch.manual_seed(random.randrange(1000))
    train(given, tmp_path / "task", said)
    assert digests(tmp_path / "task" / "model") == digests(tmp_path / "whole" / "model")
    assert list(dict.fromkeys(s.step for s in said.of(Step))) == list(range(1, 10))


def test_what_a_listener_missed_is_said_again(recipe: Make, tmp_path: Path) -> None:
    given, first, again = recipe(n_epochs=3), Heard(), Heard()
    with pytest.raises(Stopped):
        train(given, tmp_path, first, lambda: len(first.of(Step)) == 5)
    train(given, tmp_path, again)
    assert again.of(Step)[:5] == first.of(Step)
    assert [s.step for s in again.of(Step)] == list(range(1, 10))


def stopped_at_5(given: Recipe, folder: Path) -> list[Path]:
    said = Heard()
    with pytest.raises(Stopped):
        train(given, folder, said, lambda: len(said.of(Step)) == 5)
    return sorted((folder / "resume").iterdir())


def test_a_damaged_resume_point_yields_to_the_one_before(recipe: Make, tmp_path: Path) -> None:
    given = recipe(n_epochs=3)
    train(given, tmp_path / "whole", Heard())
    older, newest = stopped_at_5(given, tmp_path / "task")
    data = bytearray((newest / "optimizer.safetensors").read_bytes())
    data[-5] ^= 1
    (newest / "optimizer.safetensors").write_bytes(data)
    said = Heard()
    train(given, tmp_path / "task", said)
    assert said.of(Started)[0].resumed_from == 3 == int(older.name.removeprefix("step-"))
    (message,) = said.of(Message)
    assert message.level == "warn"
    assert "damaged" in message.message
    assert digests(tmp_path / "task" / "model") == digests(tmp_path / "whole" / "model")


RESUME_FILES = ("manifest.json", "optimizer", "position.json", "random", "weights")


def damage(file: Path, how: str) -> None:
    data = bytearray(file.read_bytes())
    if how == "cut":
        del data[-1:]
    elif how != "missing":
        data[{"first": 0, "middle": len(data) // 2, "last": -1}[how]] ^= 1
    file.unlink()
    if how != "missing":
        file.write_bytes(data)


def named(point: Path, name: str) -> Path:
    return point / (name if "." in name else f"{name}.safetensors")


def test_every_region_of_a_resume_point_is_watched(recipe: Make, tmp_path: Path) -> None:
    """First, middle and last byte of each file, one byte less, no file: the newest whole point is
    gone on from, whichever of the others are damaged."""
    given = recipe(n_epochs=3)
    points = stopped_at_5(given, tmp_path / "task")
    assert sorted(p.name for p in points[-1].iterdir()) == [
        named(points[-1], name).name for name in RESUME_FILES
    ]
    run = prepare(METHOD, given, tmp_path / "task", Heard())
    clean = {name: p.detach().clone() for name, p in run.trained.items()}
    whole = shutil.copytree(tmp_path / "task" / "resume", tmp_path / "whole")
    weights = load_file(whole / "step-3" / "weights.safetensors")
    for name in RESUME_FILES:
        for how in ("first", "middle", "last", "cut", "missing"):
            shutil.rmtree(tmp_path / "task" / "resume")
            shutil.copytree(whole, tmp_path / "task" / "resume")
            with torch.no_grad():
                for path, parameter in run.trained.items():
                    parameter.copy_(clean[path])
            damage(named(points[-1], name), how)
            said = Heard()
            assert checkpoints.resume(run, said).step == 3, (name, how)
            (message,) = said.of(Message)
            assert message.level == "warn"
            assert f"step 5 is damaged: {points[-1]}" in message.message, (name, how)
            assert all(torch.equal(p.detach(), weights[n]) for n, p in run.trained.items())


def test_where_no_resume_point_is_whole_it_starts_from_the_beginning(
    recipe: Make, tmp_path: Path
) -> None:
    """And says so; and its own new points are kept, though the damaged ones were further on."""
    given = recipe(n_epochs=3)
    train(given, tmp_path / "whole", Heard())
    for point in stopped_at_5(given, tmp_path / "task"):
        damage(point / "weights.safetensors", "last")
    said = Heard()
    with pytest.raises(Stopped):
        train(given, tmp_path / "task", said, lambda: len(said.of(Step)) == 4)
    assert [message.message.partition(":")[0] for message in said.of(Message)] == [
        "The resume point at step 5 is damaged",
        "The resume point at step 3 is damaged",
        "No resume point can be used",
    ]
    assert said.of(Started)[0].resumed_from is None
    train(given, tmp_path / "task", said)
    assert said.of(Started)[1].resumed_from == 4
    assert digests(tmp_path / "task" / "model") == digests(tmp_path / "whole" / "model")


def test_another_recipe_starts_anew(recipe: Make, tmp_path: Path) -> None:
    stopped_at_5(recipe(n_epochs=3), tmp_path / "task")
    said = Heard()
    train(recipe(n_epochs=3, seed=8), tmp_path / "task", said)
    assert said.of(Started)[0].resumed_from is None
    assert "other data or settings" in said.of(Message)[0].message
    assert [s.step for s in said.of(Step)] == list(range(1, 10))
    kept = [c for c in said.of(Checkpoint) if c.epoch]
    assert [c.step for c in kept] == [3, 6, 9]
    train(recipe(n_epochs=3, seed=8), tmp_path / "whole", Heard())
    for checkpoint in kept:  # those of the first recipe were replaced
        here, there = (tmp_path / f / checkpoint.path for f in ("task", "whole"))
        assert digests(here) == digests(there)


def test_another_environment_is_said(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_at_5(recipe(n_epochs=3), tmp_path / "task")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 17)
    said = Heard()
    train(recipe(n_epochs=3), tmp_path / "task", said)
    assert "-> 17" in said.of(Message)[0].message


def test_the_newest_two_resume_points_and_all_checkpoints_are_kept(
    recipe: Make, tmp_path: Path
) -> None:
    train(recipe(n_epochs=4), tmp_path / "task", Heard(), resume_seconds=0)
    resume, kept = (
        {p.name for p in (tmp_path / "task" / d).iterdir()} for d in ("resume", "checkpoints")
    )
    assert len(resume) == 2
    assert "step-12" in resume
    assert kept == {"step-3", "step-6", "step-9", "step-12"}


def until_killed(given: Recipe, folder: Path, words: int, delay: float = 0) -> list[Said]:
    """Train in a child until it has said so many words, then SIGKILL it; or to its end."""
    ours, theirs = FORKS.Pipe(duplex=False)
    child = FORKS.Process(target=train_and_send, args=(given, folder, theirs))
    child.start()
    theirs.close()
    heard: list[Said] = []
    with contextlib.suppress(EOFError):
        while len(heard) < words:
            heard.append(ours.recv())
        time.sleep(delay)
        child.kill()
    child.join()
    return heard


def test_sigkill_and_go_on_ends_byte_equal(recipe: Make, tmp_path: Path) -> None:
    given = recipe(validation=colours(3), n_epochs=3)
    train(given, tmp_path / "whole", Heard())
    heard = until_killed(given, tmp_path / "task", 10)  # the last is step 5
    assert heard[-1].step == 5
    rest = until_killed(given, tmp_path / "task", 1000)
    assert rest[1].resumed_from == 3  # rest[0] says how rows are computed
    assert rest[-1].kind == "finished"
    assert digests(tmp_path / "task" / "model") == digests(tmp_path / "whole" / "model")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_many_kills_anywhere_end_byte_equal(recipe: Make, tmp_path: Path, seed: int) -> None:
    """Among them kills inside the writing of checkpoints, resume points, model and parity."""
    given = recipe(colours(24), colours(6), n_epochs=4)
    train(given, tmp_path / "whole", Heard())
    chance, kills, said_again = random.Random(seed), 0, 0
    while True:
        words, delay = chance.randrange(1, 20) + said_again, chance.random() * 0.05
        heard = until_killed(given, tmp_path / "task", words, delay)
        said_again = sum(said.kind == "step" for said in heard)
        if heard[-1].kind == "finished":
            break
        kills += 1
    assert kills > 1
    assert digests(tmp_path / "task" / "model") == digests(tmp_path / "whole" / "model")
    assert durable.sweep(tmp_path / "task") == 0
