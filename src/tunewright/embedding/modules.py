"""What a directory of sentence-transformers does with a text, read from its files. No torch.

`modules.json` names the modules in their order, each with a folder of its own settings:

    modules.json                       Transformer, Pooling, Dense, Normalize; or StaticEmbedding
    config.json, model.safetensors     of the transformer (or in its own folder, 0_Transformer)
    tokenizer.json
    sentence_bert_config.json          how many tokens it reads
    1_Pooling/config.json              from the vectors of tokens to one
    2_Dense/config.json, model.safetensors
    config_sentence_transformers.json  prompts
    onnx/model.onnx                    the transformer as a graph, where its makers give one

Without a modules.json a folder ``1_Pooling`` is enough; with neither, the mean is taken, and said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tunewright import durable
from tunewright.embedding import lengths
from tunewright.embedding.card import Card
from tunewright.embedding.dense import Dense, refuse_token_vectors, unsupported
from tunewright.rendering.configuration import read_object

MODULES = "modules.json"
_POOLING = "1_Pooling"
_PACKAGE = "sentence_transformers."
_KNOWN = ("Transformer", "StaticEmbedding", "Pooling", "Dense", "Normalize", "Dropout")
_FIRST = ("Transformer", "StaticEmbedding")
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
# A key each in files of older versions; several are concatenated in this order.
_MODE_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_WIDTHS = ("hidden_size", "d_model", "dim", "n_embd")


@dataclass(frozen=True)
class Pooling:
    """From the vectors of a text's tokens, [time, h], to one, [len(modes) * h].

    `include_prompt`: whether the tokens of a prompt are among them.
    """

    modes: tuple[str, ...]
    include_prompt: bool = True


@dataclass(frozen=True)
class Normalize:
    """To length 1."""


Step = Dense | Normalize


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What becomes of a text: tokens, a transformer or a `static` table, `pooling`, then `after`.

    `folder`: where the transformer or the table lies, relative to `directory`. `width`: components
    of a token's vector; None where its files do not say. `length`: most tokens of a text together
    with the special ones around it; None: no limit. `lower`: whether texts are lower-cased before
    the tokenizer. `prompts` by name; the one called `default_prompt` goes before every text.
    `matryoshka`: how many first components are a vector too, or () for any number; None: all only.
    `folders`: of all modules, relative. `notes`: what was supposed for want of a file, a sentence
    each.
    """

    directory: Path
    folder: str
    static: bool
    width: int | None
    length: int | None
    lower: bool
    pooling: Pooling
    after: tuple[Step, ...]
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    matryoshka: tuple[int, ...] | None = None
    licence: str | None = None
    folders: tuple[str, ...] = ("",)
    notes: tuple[str, ...] = ()

    @property
    def transformer(self) -> Path:
        """Where its config.json, tokenizer.json and weights lie."""
        return self.directory / self.folder

    @property
    def dimensions(self) -> int | None:
        """Components of a text's vector, where the files say."""
        widths = [len(step.weight) for step in self.after if isinstance(step, Dense)]
        return widths[-1] if widths else _pooled_width(self.pooling, self.width)

    @property
    def normalize(self) -> bool:
        """Whether the modules end with length 1. What is served has it always."""
        return self.after[-1:] == (Normalize(),)

    @classmethod
    def read(cls, directory: Path) -> "Pipeline":
        """Raises BadRequest naming the module or the file that cannot be used; Corrupt for a file
        that is no JSON."""
        modules, notes = _modules(directory)
        home = directory / modules[0].folder
        static = modules[0].name == "StaticEmbedding"
        settings = {} if static else lengths.settings(home)
        pooling, pooled_by = Pooling(("mean",)), modules[1:2]
        if not static:
            pooling = _pooling(directory, pooled_by)
        width = None if static else _width(directory, home, pooled_by)
        steps = modules[1:] if static else modules[2:]
        card = Card.read(directory)
        prompts, default = _prompts(directory)
        return cls(
            directory=directory,
            folder=modules[0].folder,
            static=static,
            width=width,
            length=None if static else lengths.length(home, settings),
            lower=settings.get("do_lower_case") is True,
            pooling=pooling,
            after=_after(directory, steps, _pooled_width(pooling, width)),
            prompts=prompts,
            default_prompt=default,
            matryoshka=card.matryoshka,
            licence=card.licence,
            folders=tuple(dict.fromkeys(module.folder for module in modules)),
            notes=notes,
        )


def is_embedder(directory: Path) -> bool:
    """Whether its files say so: a modules.json, or a pooling folder."""
    return (directory / MODULES).is_file() or (directory / _POOLING).is_dir()


@dataclass(frozen=True)
class _Module:
    """`name`: Pooling, say. `folder`: relative; empty: the directory itself."""

    name: str
    folder: str


def _modules(directory: Path) -> tuple[list[_Module], tuple[str, ...]]:
    """In their order, the transformer or the table first; and what was supposed."""
    file = directory / MODULES
    if not file.is_file():
        return _supposed(directory)
    listed = durable.read_json(file)
    if not isinstance(listed, list) or not listed:
        raise unsupported(f"{file} is not a list of modules, as sentence-transformers writes it.")
    modules = [_module(file, each) for each in listed]
    names = [module.name for module in modules]
    if names[0] not in _FIRST or any(name in _FIRST for name in names[1:]):
        raise unsupported(
            f"{file} names {', '.join(names)}. Only models that begin with Transformer or "
            "StaticEmbedding, and have one of them, are supported."
        )
    return [each for each in modules if each.name != "Dropout"], ()  # which is for training only


def _supposed(directory: Path) -> tuple[list[_Module], tuple[str, ...]]:
    if (directory / _POOLING).is_dir():
        note = f"It has no {MODULES}: its folder {_POOLING} says how its tokens are pooled."
        return [_Module("Transformer", ""), _Module("Pooling", _POOLING)], (note,)
    note = f"It has no {MODULES} and no {_POOLING}: the mean of its tokens' vectors is taken."
    return [_Module("Transformer", "")], (note,)


def _module(file: Path, entry: Any) -> _Module:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(kind, str):
        raise unsupported(f"{file}: a module has no `type`.")
    name = kind.rpartition(".")[2]
    if not kind.startswith(_PACKAGE):
        raise unsupported(
            f"{file} names the module {kind}, which is code of its own. Tunewright runs no code "
            "that comes with weights: use another model."
        )
    if name not in _KNOWN:
        raise unsupported(
            f"{file} names the module {name} ({kind}), which is not supported. Supported: "
            f"{', '.join(_KNOWN)}. Use another model."
        )
    return _Module(name, _folder(file, entry.get("path", "")))


def _folder(file: Path, given: Any) -> str:
    """Inside the directory, or it is refused: what lies there is read and copied."""
    path = PurePosixPath(given.replace("\\", "/")) if isinstance(given, str) else None
    if path is None or path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise unsupported(
            f"{file}: the `path` of a module is {given!r}, which is not a folder of this model."
        )
    return "" if path == PurePosixPath() else str(path)


def _settings(directory: Path, module: _Module) -> dict[str, Any]:
    """Its config.json. Raises BadRequest where there is none."""
    file = directory / module.folder / "config.json"
    if not module.folder or not file.is_file():
        raise unsupported(f"{file} is missing: {module.name} has its settings there.")
    return read_object(file)


def _pooling(directory: Path, modules: Sequence[_Module]) -> Pooling:
    """By the module after the transformer; the mean where no file says anything."""
    if not modules and not (directory / MODULES).is_file():
        return Pooling(("mean",))
    if not modules or modules[0].name != "Pooling":
        found = modules[0].name if modules else "nothing"
        raise unsupported(
            f"{directory / MODULES}: after Transformer comes {found}, not Pooling. A model that "
            "gives a vector for each token is not supported."
        )
    config = _settings(directory, modules[0])
    file = directory / modules[0].folder / "config.json"
    include = config.get("include_prompt", True)
    if not isinstance(include, bool):
        raise unsupported(f"{file}: `include_prompt` is {include!r}, not true or false.")
    return Pooling(_modes(file, config), include)


def _modes(file: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    given = config.get("pooling_mode")
    if given is None:
        asked = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
        modes = tuple(mode for key, mode in _MODE_KEYS.items() if key in asked)
        wrong = [key for key in asked if key not in _MODE_KEYS]
    else:
        modes = tuple(given) if isinstance(given, list) else (given,)
        wrong = [mode for mode in modes if mode not in MODES]
    if wrong:
        raise unsupported(
            f"{file}: the pooling {wrong[0]!r} is not supported. Supported: {', '.join(MODES)}."
        )
    return modes or ("mean",)


def _width(directory: Path, home: Path, modules: Sequence[_Module]) -> int | None:
    """As the transformer's config.json and the pooling's both say."""
    config = read_object(home / "config.json")
    inner = config.get("text_config")
    config = {**(inner if isinstance(inner, dict) else {}), **config}
    found = next((config[key] for key in _WIDTHS if type(config.get(key)) is int), None)
    if not modules:
        return found
    pooling = _settings(directory, modules[0])
    said = pooling.get("embedding_dimension", pooling.get("word_embedding_dimension"))
    if found and said not in (None, found):
        raise unsupported(
            f"{directory / modules[0].folder / 'config.json'} pools vectors of {said} components, "
            f"but the transformer gives {found}. These files are not of one model."
        )
    return found or (said if type(said) is int else None)


def _pooled_width(pooling: Pooling, width: int | None) -> int | None:
    return None if width is None else width * len(pooling.modes)


def _after(directory: Path, modules: Sequence[_Module], width: int | None) -> tuple[Step, ...]:
    """The modules after pooling; each Dense must take what the one before gives."""
    steps: list[Step] = []
    for module in modules:
        if module.name == "Pooling":
            raise unsupported(f"{directory / MODULES} names Pooling twice.")
        if module.name == "Normalize":
            refuse_token_vectors(directory / module.folder, module.name)
            steps.append(Normalize())
        else:
            _settings(directory, module)  # which must be there
            dense = Dense.read(directory / module.folder, width)
            width = len(dense.weight)
            steps.append(dense)
    return tuple(steps)


def _prompts(directory: Path) -> tuple[dict[str, str], str | None]:
    """By name, and which goes before every text."""
    file = directory / "config_sentence_transformers.json"
    config = read_object(file)
    kind = config.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise unsupported(f"{file}: this is a {kind}, not an embedding model of one vector a text.")
    given, default = config.get("prompts") or {}, config.get("default_prompt_name")
    if not isinstance(given, dict) or not all(
        text is None or isinstance(text, str) for text in given.values()
    ):
        raise unsupported(f"{file}: `prompts` are not texts by name.")
    prompts = {str(name): text or "" for name, text in given.items()}
    if default is not None and default not in given:
        raise unsupported(f"{file}: the default prompt {default!r} is not among its prompts.")
    return prompts, default or None
