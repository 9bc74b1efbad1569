"""What this machine has, as far as somebody acts on it."""

from pathlib import Path

import pytest
import torch

from tunewright import machine


def built(folder: Path, cuda: str, hip: str) -> Path:
    """The file of a torch that says so of itself."""
    folder.mkdir()
    version = (
        f"from typing import Optional\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = {hip}\n"
    )
    (folder / "version.py").write_text(version)
    return folder / "__init__.py"


def test_a_torch_says_what_it_was_built_for(tmp_path: Path) -> None:
    assert machine._built_for_gpus(built(tmp_path / "nvidia", "'13.0'", "None"))
    assert machine._built_for_gpus(built(tmp_path / "amd", "None", '"6.4.1"'))
    assert not machine._built_for_gpus(built(tmp_path / "cpu", "None", "None"))
    assert not machine._built_for_gpus(tmp_path / "nowhere" / "__init__.py")
    ours = torch.version.cuda or torch.version.hip
    assert machine._built_for_gpus(Path(torch.__file__)) == (ours is not None)


def test_embeddings_go_to_a_gpu_where_there_is_one_and_nobody_forbids_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "gpus"
    monkeypatch.setattr(machine, "_GPUS", (tmp_path / "other", driver))
    monkeypatch.setattr(machine, "_built_for_gpus", lambda torch: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not machine.embeds_on_gpu("auto")
    assert machine.embeds_on_gpu("gpu")
    driver.mkdir()
    assert machine.embeds_on_gpu("auto")
    assert not machine.embeds_on_gpu("cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not machine.embeds_on_gpu("auto")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(machine, "_built_for_gpus", lambda torch: False)
    assert not machine.embeds_on_gpu("auto")
