"""An embedding model of others made ready to be added: its files, a graph, what it is run by."""

import hashlib
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tunewright import durable, probing
from tunewright.embedding.chosen import LONG_INPUTS, PRECISIONS, Chosen, LongInputs, Precision
from tunewright.embedding.graph_files import graph_of, outside
from tunewright.embedding.modules import Pipeline
from tunewright.errors import BadRequest, Corrupt, MissingExtra
from tunewright.fetching import Listener, need_room
from tunewright.resources import embedding_bases
from tunewright.resources.fast_embeddings import quickened

LEAST_COSINE = 0.9999  # of a graph's vectors with torch's, in every one of the texts compared
_GRAPH = "onnx/model.onnx"
_RECIPE = 1  # of `converting`: another number makes graphs anew


@dataclass(frozen=True)
class Wishes:
    """What the operator wants of an embedding model. matryoshka: how many first components are a
    vector too, where its own files do not say. precision: fast is int8."""

    long_inputs: LongInputs = "average"
    matryoshka: tuple[int, ...] | None = None
    precision: Precision = "exact"

    def __post_init__(self) -> None:
        """Raises BadRequest for what cannot be."""
        if self.long_inputs not in LONG_INPUTS:
            raise BadRequest(
                f"'{self.long_inputs}' cannot be done with long inputs. Choose one of: "
                f"{', '.join(LONG_INPUTS)}.",
                param="long_inputs",
            )
        if self.precision not in PRECISIONS:
            raise BadRequest(
                f"'{self.precision}' is not a precision. Choose one of: {', '.join(PRECISIONS)}.",
                param="precision",
            )
        if self.matryoshka and min(self.matryoshka) < 1:
            raise BadRequest("Matryoshka dimensions are numbers from 1 on.", param="matryoshka")


@contextmanager
def ready(
    source: Path, near: Path, bases: Path, wishes: Wishes, listener: Listener
) -> Iterator[tuple[Path, Chosen | None]]:
    """A folder with what is kept of `source`, and how it is run; `source` itself and None where its
    config.json names an engine. It lies beside `near` and is gone in the end. bases: where those
    that were added before lie, one of which may have the same graph.

    Raises BadRequest with the reason where it cannot be used; MissingExtra; StorageFull.
    """
    if embedding_bases.names_engine(source):
        if wishes != Wishes():
            raise BadRequest(
                f"{source} has an engine of its own, in its config.json: it says there how it "
                "treats long inputs, which dimensions it has and how exactly it computes.",
                param="long_inputs",
            )
        yield source, None
        return
    embedding_bases.check(source)
    pipeline = Pipeline.read(source)
    for note in pipeline.notes:
        listener.say(note)
    with durable.scratch(near) as folder, _named(folder, source):
        _fill(folder, source)
        chosen = _chosen(folder, pipeline, bases, listener)
        if wishes.precision == "fast":
            _say(folder, chosen)
            chosen = quickened(folder, chosen, listener)
        chosen = replace(chosen, long_inputs=wishes.long_inputs, matryoshka=wishes.matryoshka)
        _say(folder, chosen)
        yield folder, chosen


@contextmanager
def _named(folder: Path, source: Path) -> Iterator[None]:
    """What is wrong with the copy is wrong with the source."""
    try:
        yield
    except (BadRequest, Corrupt) as error:
        message = error.message.replace(str(folder), str(source))
        raise BadRequest(message, param=error.param or "source", code=error.code) from error


def _fill(folder: Path, source: Path) -> None:
    """Linked, to be copied when it is kept; a graph is copied now, for what runs it wants the files
    beside it to be there really."""
    graph = graph_of(source)
    copied = {source / graph, *outside(source / graph)} if graph else set[Path]()
    for name in embedding_bases.files(source):
        place, file = folder / name, (source / name).resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        if source / name in copied:
            durable.copy(file, place)
        else:
            place.symlink_to(file)


def _say(folder: Path, chosen: Chosen) -> None:
    """For whoever opens the folder before it is published."""
    durable.write_json(folder / durable.MANIFEST, {"about": chosen.about, "files": {}})


def _chosen(folder: Path, pipeline: Pipeline, bases: Path, listener: Listener) -> Chosen:
    if pipeline.static:
        return Chosen("static")
    graph = graph_of(folder)
    weights = sorted(pipeline_weights(folder, pipeline))
    torch = importlib.util.find_spec("torch") is not None
    if graph and not (weights and torch):
        if weights:
            listener.say(f"Its {graph} is used as it is: torch, to compare it with, is not here.")
        return Chosen("onnx", graph)
    if not torch:
        raise MissingExtra(
            f"Writing {folder.name} as an ONNX graph, once, when it is added", "train"
        )
    return _compared(folder, weights, graph, bases, listener)


def pipeline_weights(folder: Path, pipeline: Pipeline) -> list[Path]:
    return list((folder / pipeline.folder).glob("*.safetensors"))


def _compared(
    folder: Path, weights: Sequence[Path], graph: str | None, bases: Path, listener: Listener
) -> Chosen:
    """By a graph that agrees with torch: the makers', else one that is written now; else torch."""
    key = _key(folder, weights)
    if graph is None and (known := _known(bases, key)):
        base, chosen = known
        listener.say(f"The graph that was written for {base.name.rpartition('-')[0]} is used.")
        _take(base, folder, chosen.graph or _GRAPH)
        return chosen
    if graph is None:
        size = sum(file.stat().st_size for file in weights)
        need_room(folder, 2 * size, "Writing the model as an ONNX graph")
        listener.say("Writing it as an ONNX graph, once, and comparing that with torch.")
    else:
        listener.say(f"Comparing its {graph} with torch.")
    found = probing.converted(folder, graph or _GRAPH)
    if agrees(found):
        return Chosen(
            "onnx", graph or _GRAPH, found={**found, "key": key if graph is None else None}
        )
    return _other(folder, weights, graph, bases, found, listener)


def _other(
    folder: Path,
    weights: Sequence[Path],
    graph: str | None,
    bases: Path,
    found: dict[str, Any],
    listener: Listener,
) -> Chosen:
    why = (
        str(found.get("reason") or "").rstrip(".!")
        or f"its cosine similarity with torch is {found['cosine']:.6f}"
    )
    shutil.rmtree(folder / "onnx", ignore_errors=True)
    if graph:
        listener.say(f"Its {graph} is not used: {why}.")
        (folder / graph).unlink(missing_ok=True)
        return _compared(folder, weights, None, bases, listener)
    listener.say(f"It is run by torch, in the engine's process: as an ONNX graph, {why}.")
    return Chosen("torch", found=found)


def agrees(found: dict[str, Any]) -> bool:
    return found["cosine"] is not None and found["cosine"] >= LEAST_COSINE


def _key(folder: Path, weights: Sequence[Path]) -> str:
    """Of a graph: the weights it is of, the tokens that it was compared with, what writes it."""
    home = weights[0].parent
    names = [home / "config.json", home / "tokenizer.json", *weights]
    sums = [durable.sha256(file) for file in names if file.is_file()]
    sums += [version("torch"), version("transformers"), str(_RECIPE)]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def _known(bases: Path, key: str) -> tuple[Path, Chosen] | None:
    """A base that was added before, with the graph of this key."""
    for base in sorted(bases.glob("*/")):
        try:
            chosen = Chosen.read(base)
        except Exception:  # of a version to come, or damaged: not for us to say
            continue
        if chosen is None or chosen.graph is None or chosen.precision != "exact":
            continue
        if chosen.found.get("key") == key:
            return base, chosen
    return None


def _take(base: Path, folder: Path, graph: str) -> None:
    """Files of ours, which nobody writes to: they are linked."""
    (folder / graph).parent.mkdir(exist_ok=True)
    for file in (base / graph, *outside(base / graph)):
        durable.link_or_copy(file, folder / file.relative_to(base))
