"""A model of the Hugging Face hub, in the hub's own cache: safetensors and text files only, or one
GGUF file."""

import fcntl
import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tunewright import durable, machine
from tunewright.errors import BadRequest
from tunewright.fetching import Listener, NotFetched, need_room, watched
from tunewright.records.catalogue import HubSource

CONNECT_SECONDS = 4.0
_SECONDS = 8.0  # in all: the resolver of names has its own, longer patience
_FETCHED = (
    *("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"),
    *("tokenizer*", "special_tokens_map.json", "vocab.*", "merges.txt", "*.model", "modules.json"),
    *("chat_template.json*", "chat_template.jinja", "LICENSE*", "README.md"),
    *("sentence_*_config.json", "config_sentence_transformers.json", "NOTICE*"),
)
# Of an embedding model: the folders of its modules, and the graph that its makers have made.
_MODULE = re.compile(
    r"\d+_\w+/(config\.json|sentence_\w+_config\.json|tokenizer[^/]*|[^/]+\.safetensors)"
)
_GRAPH = re.compile(r"onnx/model\.onnx(_data|\.data)?")
_EMBEDS = ("modules.json", "1_Pooling/config.json")
_WEIGHTS = (".safetensors", ".gguf")  # a graph is all that some models have
_MOST_NAMED = 6
_ABANDONED = 3600.0  # seconds without a byte: nobody downloads that any more
T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """Where a model lies, a directory or a GGUF file, and which commit of it that is."""

    place: Path
    revision: str


def fetch(source: HubSource, keep: Path, listener: Listener) -> Snapshot:
    """What the hub has of `source`, each file compared with the hash that the hub gives for that
    commit. Where the hub cannot be reached: what an earlier download left in its cache. keep: where
    it is to be copied to, for which there must be room as well.

    Raises NotFetched with the reason; BadRequest for a wrong hash or an id that cannot be one;
    StorageFull.
    """
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()  # ours shows the whole
    try:
        info = _asked(lambda: _model_info(source))
    except _Silent as error:
        return _cached(source, str(error), listener)
    names = {each.rfilename for each in info.siblings or ()}
    files = [each for each in info.siblings or () if _wanted(source, each.rfilename, names)]
    if not any(each.rfilename.endswith((".safetensors", ".gguf", ".onnx")) for each in files):
        raise NotFetched(_no_weights(source, info))
    total = sum(each.size or 0 for each in files)
    folder = _cache(source.hub)
    begun = _begun(source.hub, files, info.sha)
    _say(source, info, total, begun, listener)
    _need_room(source, total - begun, total, keep)
    with watched(folder, begun, total, listener):
        paths = [_file(source.hub, each, info.sha) for each in files]
    above = len(PurePosixPath(files[0].rfilename).parts)  # what it lies in may be a folder
    return Snapshot(paths[0] if source.file else paths[0].parents[above - 1], info.sha)


def _no_weights(source: HubSource, info: Any) -> str:
    said = f"{source.hub} on the hub has no {source.file or '*.safetensors'}"
    there = [f.rfilename for f in info.siblings or () if f.rfilename.endswith(".gguf")]
    if not there:
        return said
    more = ", ..." if len(there) > _MOST_NAMED else ""
    return (
        f"{said}. It has {', '.join(there[:_MOST_NAMED])}{more}: name one of these, as in "
        f"{source.hub}/{there[0]}"
    )


def _need_room(source: HubSource, fetched: int, kept: int, keep: Path) -> None:
    """Before anything is fetched: for what is fetched into the cache, and kept in the home."""
    cache = _cache(source.hub)
    if machine.same_disk(cache, keep):
        need_room(keep, fetched + kept, f"Fetching and adding {source.hub}")
    else:
        need_room(cache, fetched, f"Fetching {source.hub}")
        need_room(keep, kept, f"Adding {source.hub}")


class _Silent(Exception):
    """The hub did not answer."""


def _model_info(source: HubSource) -> Any:
    from huggingface_hub import HfApi

    return HfApi().model_info(
        source.hub, revision=source.revision, files_metadata=True, timeout=CONNECT_SECONDS
    )


def _asked(ask: Callable[[], T]) -> T:
    """Its answer, within seconds. Raises NotFetched where the hub refuses, _Silent where it does
    not answer, BadRequest where it is no id at all."""
    answers: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:
            errors.append(error)

    asking = threading.Thread(target=run, name="hub", daemon=True)
    asking.start()
    asking.join(_SECONDS)
    if answers:
        return answers[0]
    raise _translated(errors[0] if errors else TimeoutError(f"no answer in {_SECONDS:g} s"))


def _translated(error: Exception) -> Exception:
    """In plain words."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    hub = constants.ENDPOINT
    if isinstance(error, OfflineModeIsEnabled):
        return _Silent(f"{hub} is not asked, because HF_HUB_OFFLINE is set")
    if isinstance(error, HFValidationError):
        return BadRequest(
            "It is neither a folder or file here, nor a model of the catalogue, nor the id of a "
            f"model on the hub (OWNER/NAME): {error}",
            param="source",
        )
    if isinstance(error, GatedRepoError):
        return NotFetched(
            "its owner gives it only to those who accept its licence. Accept it on its page at "
            f"{hub}, create a token there, and log in here: hf auth login (or set HF_TOKEN)"
        )
    if isinstance(error, RevisionNotFoundError):
        return NotFetched("the hub has no such revision of it")
    if isinstance(error, RepositoryNotFoundError):
        return NotFetched(
            f"{hub} has no such model, or it is private. Look at the spelling; if it is private, "
            "log in: hf auth login (or set HF_TOKEN)"
        )
    if isinstance(error, HfHubHTTPError):
        return _refused(hub, error.response.status_code)
    reason = str(error).strip().splitlines()
    return _Silent(f"{hub} cannot be reached ({reason[0][:200] if reason else type(error)})")


def _refused(hub: str, status: int) -> NotFetched:
    if status in (401, 403):
        return NotFetched(
            f"{hub} does not give it to you (HTTP {status}). Log in: hf auth login (or set "
            "HF_TOKEN), with a token that may read it"
        )
    return NotFetched(f"{hub} answers with HTTP {status}")


def _wanted(source: HubSource, name: str, names: Set[str]) -> bool:
    """names: all that there are."""
    if source.file:
        return name == source.file
    if "/" in name:
        embeds = not names.isdisjoint(_EMBEDS) or not any(n.endswith(_WEIGHTS) for n in names)
        return embeds and bool(_MODULE.fullmatch(name) or _GRAPH.fullmatch(name))
    return any(fnmatch(name, pattern) for pattern in _FETCHED)


def named(text: str) -> HubSource:
    """OWNER/NAME, or OWNER/NAME/FILE.gguf, where the file may lie in folders."""
    owner, _, rest = text.partition("/")
    model, _, file = rest.partition("/")
    if owner.strip(".~") and model and file.lower().endswith(".gguf"):
        return HubSource(hub=f"{owner}/{model}", file=file)
    return HubSource(hub=text)


def _cache(id: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{id.replace('/', '--')}"


def _begun(id: str, files: Sequence[Any], revision: str) -> int:
    """Bytes of `files` that an earlier download left in the cache, whole or, of large ones, in
    part (`_continue`). What a killed client of the hub left by itself is removed."""
    from huggingface_hub import try_to_load_from_cache

    for part in _cache(id).glob("blobs/*.incomplete"):
        if time.time() - part.stat().st_mtime > _ABANDONED:
            part.unlink(missing_ok=True)

    def here(file: Any) -> int:
        if isinstance(try_to_load_from_cache(id, file.rfilename, revision=revision), str):
            return file.size or 0
        part = _part(id, file)
        return part.stat().st_size if part and part.is_file() else 0

    return sum(map(here, files))


def _part(id: str, file: Any) -> Path | None:
    """Where a large file is kept while it is fetched. Of small ones nothing is."""
    return _cache(id) / "blobs" / f"{file.lfs.sha256}.part" if file.lfs else None


def _continue(id: str, file: Any, revision: str) -> None:
    """Fetch a large file from where an earlier download ended. The hub's client, which begins anew
    each time, then finds it in its cache. Left to that client: what the hub keeps in pieces (Xet),
    and what another process fetches at this moment."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    part = _part(id, file)
    if part is None or (whole := part.with_suffix("")).exists():
        return
    url = hf_hub_url(id, file.rfilename, revision=revision)
    about = get_hf_file_metadata(url)
    if about.xet_file_data is not None or about.etag != whole.name:
        return
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as fetched:
        try:
            fcntl.flock(fetched, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if fetched.tell() > (file.size or 0):
            fetched.truncate(0)
        # A token is for the hub, and not for the store of files that it may lead to.
        ours = urlsplit(about.location).netloc == urlsplit(url).netloc
        http_get(
            about.location,
            fetched,
            resume_size=part.stat().st_size,
            headers=build_hf_headers(token=None if ours else False),
            expected_size=file.size,
        )
        part.replace(whole)


def _say(source: HubSource, info: Any, total: int, begun: int, listener: Listener) -> None:
    from huggingface_hub import constants

    card = info.card_data or {}
    licence = card.get("license_name") or card.get("license") or "not named"
    page = f"{constants.ENDPOINT}/{source.hub}"
    listener.say(f"The licence of {source.hub} is: {licence} (read it at {page}).")
    if begun < total:
        part = f", {begun / 1e6:,.1f} MB of it are here already" if begun else ""
        size = f"{total / 1e6:,.0f} MB{part}"
        listener.say(f"Fetching {source.hub} ({size}) from {constants.ENDPOINT}.")


def _file(id: str, file: Any, revision: str) -> Path:
    """Downloaded, or continued where a part of it is there, and compared."""
    from huggingface_hub import hf_hub_download

    try:
        _continue(id, file, revision)
        path = Path(hf_hub_download(id, file.rfilename, revision=revision))
    except OSError as error:
        if error.errno is not None:  # such as a full disk: not the hub's fault
            raise
        raise _as_not_fetched(error) from error
    except Exception as error:
        raise _as_not_fetched(error) from error
    found, expected = _hashes(path, file)
    if expected and found != expected:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise BadRequest(
            f"{file.rfilename} of {id} is not what the hub names for revision {revision}: its "
            f"hash is {found}, and {expected} was expected. It was not used, and it was removed. "
            "Try again; if it stays so, ask who runs your mirror or proxy.",
            param="source",
            code="wrong_sha256",
        )
    return path


def _as_not_fetched(error: Exception) -> Exception:
    translated = _translated(error)
    return NotFetched(str(translated)) if isinstance(translated, _Silent) else translated


def _hashes(path: Path, file: Any) -> tuple[str, str | None]:
    """Of the file here, and as the hub gives it: sha256 of large files, Git's sha1 of others."""
    if file.lfs:
        return durable.sha256(path), file.lfs.sha256
    content = path.read_bytes()
    return _git_hash(content), file.blob_id


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _cached(source: HubSource, reason: str, listener: Listener) -> Snapshot:
    """Large files are called by their sha256 in the cache: compared with that."""
    whole = [directory for directory in _snapshots(source) if _is_whole(source, directory)]
    if not whole:
        raise NotFetched(reason)
    weights = [source.file] if source.file else ["**/*.safetensors", "**/*.onnx"]
    for path in sorted(path for pattern in weights for path in whole[0].glob(pattern)):
        name = path.resolve().name
        if len(name) == 64 and (found := durable.sha256(path)) != name:
            raise BadRequest(
                f"{path} is damaged: its sha256 is {found}, and {name} was expected. Remove it, "
                "and fetch the model again.",
                param="source",
                code="wrong_sha256",
            )
    listener.say(f"{reason}. The copy of {source.hub} in its cache is used: {whole[0]}")
    return Snapshot(whole[0] / (source.file or ""), whole[0].name)


def _snapshots(source: HubSource) -> list[Path]:
    """Of the revision that is asked for; where none is, the newest first."""
    folder = _cache(source.hub)
    if source.revision is None:
        return sorted(folder.glob("snapshots/*"), key=lambda path: -path.stat().st_mtime)
    named = folder / "refs" / source.revision
    commit = named.read_text().strip() if named.is_file() else source.revision
    return list(folder.glob(f"snapshots/{commit}"))


def _is_whole(source: HubSource, directory: Path) -> bool:
    if source.file:
        return (directory / source.file).is_file()
    index = directory / "model.safetensors.index.json"
    named = durable.read_json(index).get("weight_map", {}) if index.is_file() else {}
    needed = {"config.json", "tokenizer.json", *named.values()}
    if (directory / "modules.json").is_file():
        needed = set(named.values()) | _of_modules(directory)
    weights = [*directory.glob("*.safetensors"), *directory.glob("*/*.safetensors")]
    weights += directory.glob("onnx/model.onnx")
    return bool(weights) and all((directory / name).is_file() for name in needed)


def _of_modules(directory: Path) -> set[str]:
    """Files that the modules of an embedding model cannot be without."""
    listed = durable.read_json(directory / "modules.json")
    modules = (
        [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    )
    homes = {str(each.get("type")).rpartition(".")[2]: str(each.get("path")) for each in modules}
    first = homes.get("Transformer", homes.get("StaticEmbedding", ""))
    needed = {f"{first}/tokenizer.json".lstrip("/.")}
    needed |= {f"{homes[name]}/config.json" for name in ("Pooling", "Dense") if name in homes}
    return needed
