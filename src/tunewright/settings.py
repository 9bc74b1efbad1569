"""One frozen Settings, read once: given > environment (TUNEWRIGHT_*) > settings.toml > default."""

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tunewright.errors import BadRequest

MIB = 1024 * 1024
_PREFIX = "TUNEWRIGHT_"

# OpenAI's names, so that unchanged code runs. The operator maps them in settings.toml. All are
# patterns: a pattern there replaces its like here with every dated name that it covers.
DEFAULT_ALIASES = {
    "gpt-3.5-turbo*": "builtin-chat",
    "gpt-3.5-turbo-instruct*": "builtin-completion",
    "gpt-4o*": "builtin-chat",
    "gpt-4.1*": "builtin-chat",
    "babbage-002*": "builtin-completion",
    "davinci-002*": "builtin-completion",
    "text-embedding-ada-002*": "builtin-mini",
    "text-embedding-3-*": "builtin-mini",
    "text-similarity-*": "builtin-mini",
    "text-search-*": "builtin-mini",
    "code-search-*": "builtin-mini",
}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TUNEWRIGHT_", frozen=True, extra="forbid")

    # Set on the subclass that `read` makes. A ClassVar, for pydantic takes _names as attributes.
    _file: ClassVar[dict[str, Any]] = {}

    home: Path = Field(default=Path("~/.tunewright"), description="where everything is kept")
    host: str = Field(default="127.0.0.1", description="address that the API listens on")
    port: int = Field(default=8311, ge=0, le=65535, description="port; 0 takes a free one")
    allow_remote: bool = Field(default=False, description="permit an address beyond this machine")
    allowed_hosts: list[str] = Field(
        default=[], description="names beside localhost that the API answers to; * for any"
    )
    organisation: str = Field(
        default="personal",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="name of the first organisation; part of the names of tuned models",
    )
    aliases: dict[str, str] = Field(
        default=DEFAULT_ALIASES,
        description="OpenAI's model names, or patterns such as gpt-4o*, and the base of each",
    )
    tuned_names: Literal["asked", "base"] = Field(
        default="asked",
        description="tuned models are named by the model that the job asked for, or by its base",
    )
    vector_stores_model: str = Field(
        default="text-embedding-3-small",
        min_length=1,
        description="embeds the files of a vector store that is made without `embedding_model`",
    )
    vectors: str = Field(
        default="",
        description="where vector stores keep their vectors, such as qdrant+http://127.0.0.1:6333; "
        "empty: in the home",
    )
    unknown_text: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="a text of which an embedding model can read nothing: refused, or embedded",
    )
    upload_limit: int = Field(default=512 * MIB, ge=1, description="largest file, bytes")
    body_limit: int = Field(default=32 * MIB, ge=1024, description="largest JSON body, bytes")
    long_examples: Literal["refuse", "cut"] = Field(
        default="refuse",
        description="examples longer than the base reads: the job is refused, or they are cut",
    )
    compute_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="of the products in training and generation; auto: bfloat16 where it is fast",
    )
    embedding_device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        description="where embeddings are computed: `gpu` by torch in the engine, `cpu` by ONNX; "
        "auto: on a GPU where there is one that torch can use",
    )
    generator: str = Field(
        default="embedded",
        description="what the engine generates with: `embedded`, or one of another package",
    )
    system_role: Literal["move", "refuse"] = Field(
        default="move",
        description="system messages where a base's template takes none: put before the user's "
        "text, or refused",
    )
    price_per_hour: float | None = Field(
        default=None, ge=0, description="of this machine while it trains, for estimates"
    )
    price_per_million_tokens: float | None = Field(
        default=None, ge=0, description="of trained tokens, for estimates"
    )
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="POST requests of an organisation a minute"
    )
    tokens_per_minute: int | None = Field(
        default=None, ge=1, description="tokens that an organisation embeds, sends and generates"
    )
    concurrent_jobs: int | None = Field(
        default=None, ge=1, description="jobs of an organisation that have not ended"
    )
    queued_jobs: int | None = Field(
        default=None, ge=1, description="jobs of an organisation that wait to run"
    )
    concurrent_batches: int | None = Field(
        default=None, ge=1, description="batches of an organisation that have not ended"
    )
    disk_bytes: int | None = Field(
        default=None, ge=1, description="all files and exports of an organisation together, bytes"
    )
    bodies_limit: int = Field(
        default=256 * MIB, ge=1024, description="all JSON bodies under way together, bytes"
    )
    embedding_tokens: int = Field(
        default=4_000_000, ge=1, description="tokens of all embedding requests under way together"
    )
    generation_queue: int = Field(
        default=256, ge=1, description="chat and completion requests under way"
    )
    generation_rows: int = Field(
        default=1024,
        ge=1,
        description="answers of an organisation under way, and of one request: prompts x n",
    )
    head_seconds: float = Field(
        default=10.0, gt=0, description="a request's head must be complete by then"
    )
    body_seconds: float = Field(
        default=10.0, gt=0, description="window in which a body's rate is measured"
    )
    body_rate: int = Field(default=1024, ge=0, description="least rate of a body, bytes a second")
    write_seconds: float = Field(
        default=60.0, gt=0, description="an answer that nobody reads for so long is dropped"
    )
    # Longer than the 5 seconds after which httpx lets go of an idle connection: otherwise a call
    # could meet one that is just being closed.
    idle_seconds: float = Field(
        default=15.0, gt=0, description="a connection without a request is closed then"
    )
    peer_connections: int = Field(default=2048, ge=1, description="connections of one address")
    lease_seconds: float = Field(default=20.0, gt=0, description="a silent worker loses its task")
    engine_stall_seconds: float = Field(
        default=60.0,
        gt=0,
        description="an engine in which nothing moves for so long is ended and started anew",
    )
    engine_seconds: float = Field(
        default=600.0, gt=0, description="longest that one generation may take, seconds"
    )

    @field_validator("aliases")
    @classmethod
    def _only_a_last_star(cls, aliases: dict[str, str]) -> dict[str, str]:
        for name in aliases:
            if "*" in name[:-1]:
                raise ValueError(f"'{name}': a pattern has one * and ends in it")
        return aliases

    def cost(self, seconds: float, trained_tokens: int) -> float | None:
        """Of a training, by the prices that are set, both added; None where there is none."""
        if self.price_per_hour is None and self.price_per_million_tokens is None:
            return None
        hours = seconds / 3600 * (self.price_per_hour or 0)
        return hours + trained_tokens / 1e6 * (self.price_per_million_tokens or 0)

    def for_children(self) -> dict[str, str]:
        """What engine and worker read in their environment: they may be started with settings that
        stand in no file."""
        return {
            "TUNEWRIGHT_COMPUTE_DTYPE": self.compute_dtype,
            "TUNEWRIGHT_EMBEDDING_DEVICE": self.embedding_device,
            "TUNEWRIGHT_VECTORS": self.vectors,
        }

    @classmethod
    def read(cls, home: Path | str | None = None, **given: Any) -> "Settings":
        """Settings for `home`; values that are None count as not given.

        Raises BadRequest naming the file when settings.toml cannot be used.
        """
        values = {key: value for key, value in given.items() if value is not None}
        if home is not None:
            values["home"] = Path(home)
        lies = os.environ.get(f"{_PREFIX}HOME") or cls.model_fields["home"].default
        root = Path(values.get("home") or lies).expanduser().resolve()
        path = root / "settings.toml"
        file = _file_values(path)
        _refuse_unknown(file, path, list(cls.model_fields))
        with_file = type("Settings", (cls,), {"_file": file})
        try:
            read = with_file(**values)
        except ValidationError as error:
            raise _unusable(error, values, file, path) from None
        return read.model_copy(update={"home": root})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = InitSettingsSource(settings_cls, cls._file)
        return init_settings, env_settings, file


def _refuse_unknown(file: dict[str, Any], path: Path, known: list[str]) -> None:
    """Names that are no settings, in the file and, where one is nearly meant, in the environment:
    what is misspelt would be passed over."""
    if "home" in file:
        raise BadRequest(
            f"{path}: 'home' cannot be set in this file, which lies in the home itself. Use --home "
            "or the variable TUNEWRIGHT_HOME.",
            param="home",
        )
    for name in file:
        if name not in known:
            raise BadRequest(f"{path}: unknown setting '{name}'{_near(name, known)}", param=name)
    variables = {f"{_PREFIX}{name.upper()}": name for name in known}
    for name in sorted(os.environ):
        near = difflib.get_close_matches(name, variables, 1, 0.85)
        if name.startswith(_PREFIX) and near and name not in variables:
            raise BadRequest(f"Unknown variable {name}: did you mean {near[0]}?", param=name)


def _near(name: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(name, known, 1):
        return f": did you mean '{near[0]}'?"
    return f". The settings are: {', '.join(known)}."


def _unusable(
    error: ValidationError, given: dict[str, Any], file: dict[str, Any], path: Path
) -> BadRequest:
    """What is wrong with a setting, and where it was given."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    variable = f"{_PREFIX}{name.upper()}"
    if name in given:
        where = f"--{name.replace('_', '-')}"
    elif variable in os.environ:
        where = f"the variable {variable}"
    else:
        where = f"{path}, '{name}'" if name in file else f"'{name}'"
    inside = ".".join(map(str, first["loc"][1:]))
    at = f" ({inside})" if inside else ""
    what = first["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    what = re.sub("^Input should be ", "it must be ", what)
    shown = f", not {first['input']!r}" if isinstance(first["input"], str | int | float) else ""
    return BadRequest(f"{where}{at} cannot be used: {what}{shown}.", param=name or None)


def _file_values(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is not valid TOML: {error}") from error
    if "aliases" in values:
        values["aliases"] = {**DEFAULT_ALIASES, **values["aliases"]}
    return values
