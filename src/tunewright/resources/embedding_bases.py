"""A directory with an embedding model: what is in it, what of it is kept, and what is refused.

It is of one of two kinds: its `config.json` names an engine, ours or another package's, and all its
files are that engine's; or it is as sentence-transformers, model2vec or an export to ONNX write it
(`embedding.modules`), and the files that are read here are kept.
"""

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from tunewright import durable
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.dense import unsupported
from tunewright.embedding.graph_files import GRAPHS, graph_of, outside
from tunewright.embedding.modules import Pipeline, is_embedder
from tunewright.errors import BadRequest
from tunewright.rendering.configuration import read_object

# Formats that run code when they are read.
_UNSAFE = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".py"}
_PICKLES = _UNSAFE - {".py"}
# Beside the modules' own: what the tokenizer, the settings and the reader need.
_AT_TOP = (
    *("modules.json", "config_sentence_transformers.json", "README.md"),
    *("LICENSE*", "LICENCE*", "NOTICE*"),
)
_OF_MODULE = (
    *("config.json", "*.safetensors", "*.safetensors.index.json", "sentence_*_config.json"),
    *("tokenizer*.json", "special_tokens_map.json", "vocab.*", "merges.txt", "*.model"),
)


def names_engine(directory: Path) -> bool:
    """Whether `config.json` is of an embedding model in our form. Raises Corrupt where it is no
    JSON object."""
    return "engine" in read_object(directory / "config.json")


def recognised(directory: Path) -> bool:
    """Whether its files say that it is an embedding model."""
    if names_engine(directory) or is_embedder(directory):
        return True
    weights = list(directory.glob("*.safetensors"))
    return not weights and any((directory / name).is_file() for name in GRAPHS)


def check(directory: Path) -> None:
    """Raises BadRequest for a directory that no engine here opens, or of which a file could not be
    kept."""
    if not names_engine(directory):
        return _check_modules(directory)
    for path in filter(belongs, sorted(directory.iterdir())):
        if not path.is_file() or path.suffix in _UNSAFE:
            what = "in a format that can run code" if path.is_file() else "not a plain file"
            raise BadRequest(
                f"{path} is {what}. An embedding model whose config.json names an engine is one "
                "folder of plain files: take this out, or convert the model.",
                param="source",
            )
    return None


def _check_modules(directory: Path) -> None:
    pipeline = Pipeline.read(directory)
    home = pipeline.transformer
    _refuse_code(directory, home)
    if (home / "adapter_config.json").is_file():
        raise unsupported(
            f"{home} holds an adapter (adapter_config.json), not a whole model. Merge it into its "
            "base first (model.merge_and_unload()), and save that."
        )
    if not (home / "tokenizer.json").is_file():
        raise unsupported(
            f"{home} has no tokenizer.json. Write one with transformers: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    graph = None if pipeline.static else _graph(directory)
    if graph:
        outside(directory / graph)
    if not list(home.glob("*.safetensors")) and not graph:
        other = sorted(path.name for path in home.glob("*") if path.suffix in _PICKLES)
        found = f" (found {', '.join(other)})" if other else ""
        raise BadRequest(
            f"{home} holds no *.safetensors and no onnx/model.onnx{found}. Only weights in "
            "safetensors or ONNX are read: the other formats can run code.",
            param="source",
        )
    for file in sorted(home.glob("*.safetensors")):
        _check_safetensors(file)


def _refuse_code(directory: Path, home: Path) -> None:
    config = read_object(home / "config.json")
    if "auto_map" in config:
        raise BadRequest(
            f"{home / 'config.json'} names code of its own (auto_map). Such models are refused: "
            "Tunewright runs no code that comes with weights.",
            param="source",
        )
    if config.get("quantization_config"):
        raise unsupported(
            f"{directory} is quantised (quantization_config). Add the model that it was made of, "
            "which its README names."
        )


def _check_safetensors(file: Path) -> None:
    try:
        with safe_open(file, framework="numpy"):
            pass
    except SafetensorError as error:
        raise BadRequest(f"{file} is broken: {error}. Fetch it again.", param="source") from error


def files(directory: Path) -> list[Path]:
    """What of a model is kept, relative to its directory. Raises as `check` does."""
    if names_engine(directory):
        found = (file for file in directory.iterdir() if file.is_file() and belongs(file))
    else:
        found = _of_modules(directory)
    return sorted({file.relative_to(directory) for file in found})


def _of_modules(directory: Path) -> Iterator[Path]:
    for pattern in _AT_TOP:
        yield from filter(Path.is_file, directory.glob(pattern))
    for folder in Pipeline.read(directory).folders:
        for pattern in _OF_MODULE:
            yield from filter(Path.is_file, (directory / folder).glob(pattern))
    if graph := _graph(directory):
        yield directory / graph
        yield from outside(directory / graph)


def _graph(directory: Path) -> str | None:
    """The graph that was chosen when the model was made ready, else that of its makers."""
    chosen = Chosen.read(directory)
    return (chosen.graph if chosen else None) or graph_of(directory)


def belongs(file: Path) -> bool:
    """Whether what lies in such a directory is of the model."""
    return not file.name.startswith(".") and file.name != durable.MANIFEST


def unlike(directory: Path) -> str:
    """Of an embedding model that is said to be of another kind."""
    return (
        f"{directory} is an embedding model: its files say so. It can be used for embeddings only: "
        "leave --kind out, or say --kind embedding."
    )
