"""A model's weights for other programs, into a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, say, size_of
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.records.exports import ExportEvent


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A tuned model, a checkpoint or a base.")
    ],
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="peft (the adapter, for PEFT and vLLM), merged (safetensors with the adapter in "
            "the weights), gguf (one file, for llama.cpp) or ollama (that file and a Modelfile).",
        ),
    ],
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            help="merged: bf16 (the default) or fp32. gguf and ollama: f16 (gguf's default), q8_0 "
            "(ollama's) or q4_0.",
        ),
    ] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Of gguf: the adapter alone, beside its base.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write a model's weights for other programs, and prove that they are the model.

    The files are read back and must give the log-probabilities that the served model gives. If they
    do not, the export fails and nothing is written.

    Example: tunewright export ft:gpt-3.5-turbo:personal:sarcastic:1a2b3c4d --to merged my-model
    """
    from tunewright.cli.opening import running

    with running(home) as tw:
        done = tw.exports.export(model, directory, to=to, dtype=dtype, adapter=adapter, say=_follow)
    if json:
        return print_json(done.wire())
    say(f"Wrote {counted(len(done.files), 'file')} ({size_of(done.bytes or 0)}) to {directory}.")
    return None


def _follow(event: "ExportEvent") -> None:
    notes.print(event.message, markup=False, soft_wrap=True)
