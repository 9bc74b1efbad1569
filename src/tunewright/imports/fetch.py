"""Everything that can be fetched, into an archive. What is there already is not asked for again."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tunewright import durable, names
from tunewright.errors import BadRequest
from tunewright.imports.archive import Archive
from tunewright.imports.fields import number, text
from tunewright.imports.source import Source, SourceError

PURPOSES = ("fine-tune", "fine-tune-results")
_TAKEN = (NotADirectoryError, FileExistsError, IsADirectoryError)
_ENDED = ("succeeded", "failed", "cancelled", "completed", "canceled")


@dataclass(frozen=True)
class Line:
    """What became of one object of a `kind`: fetched, kept (it was there), given by hand, or
    failed, with the reason and what may help."""

    kind: str
    id: str
    state: Literal["fetched", "kept", "given", "failed"]
    bytes: int = 0
    message: str = ""
    remedy: str = ""


def fetch(
    source: Source, archive: Archive, *, given: Mapping[str, Path] | None = None
) -> Iterator[Line]:
    """Fetch files with their content, jobs with events and checkpoints, models, evals with runs and
    output items, and stored completions; a line for each object.

    An object that is refused is a line and no end. `given`: contents of files, by id, that the
    source refuses and that lie on this machine. Raises SourceError where the source refuses the key
    or cannot be reached at all.
    """
    durable.sweep(archive.root)
    try:
        for kind in (_models, _files, _given, _jobs, _evals, _completions):
            yield from kind(_Fetching(source, archive, dict(given or {})))
    finally:
        archive.save()


def follow(
    source: Source,
    archive: Archive,
    *,
    every: float = 60.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Generator[Line]:
    """Fetch stored completions as they come, looking again every so many seconds; a line for each
    new one. It ends when it is closed, or `sleep` gives something true: whatever ends it, what was
    fetched is whole.

    A source that cannot be reached for a while is a failed line, and a kept one of the same id once
    nothing fails any more. Raises SourceError where it
    refuses the key or stores no completions at all.
    """
    durable.sweep(archive.root)
    fetching, whole = _Fetching(source, archive, {}), True
    try:
        while True:
            failed = False
            for line in _newest(fetching, whole=whole):
                failed = failed or line.state == "failed"
                yield line
            if whole and not failed:
                yield Line("completions", "/chat/completions", "kept")
            whole = failed  # what failed lies deeper than the newest page by the next time
            archive.save()
            if sleep(every):
                return
    finally:
        archive.save()


def _newest(fetching: "_Fetching", *, whole: bool) -> Iterator[Line]:
    """The stored completions that are not there yet, newest first. Unless `whole`, it ends at the
    first page that brings none: older ones were fetched before."""
    try:
        for page in fetching.source.pages("/chat/completions", order="desc"):
            missing = [record for record in page.data if not _is_there(fetching, record)]
            yield from _each(fetching, "completion", iter(missing), _completion)
            if not (missing or whole) and _descends(page.data):
                return
    except SourceError as error:
        if error.answered == 401 or error.absent:
            raise
        yield _failed("completions", "/chat/completions", error)


def _is_there(fetching: "_Fetching", record: dict[str, Any]) -> bool:
    try:
        return fetching.archive.has(
            f"completions/{names.foreign(record.get('id'))}/completion.json"
        )
    except BadRequest:  # an id that cannot be kept: it is a failed line
        return False


def _descends(records: list[dict[str, Any]]) -> bool:
    """Whether a page is in the order that was asked for; a source may know no order."""
    made = [number(record.get("created")) or 0 for record in records]
    return made == sorted(made, reverse=True) and made[:1] != made[-1:]


@dataclass(frozen=True)
class _Fetching:
    source: Source
    archive: Archive
    given: dict[str, Path]

    def list(self, kind: str, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The objects of a list. A source that has no such list has no such objects."""
        try:
            yield from self.source.objects(path, **query)
        except SourceError as error:
            if error.fatal:
                raise
            if not error.absent:
                raise _Refused(_failed(kind, path, error)) from error

    def object(self, name: str, path: str) -> int:
        """One object as it is now; the bytes that are new. What is no object is not kept."""
        data = self.source.record(path)
        return len(data) if self.archive.put(name, data) else 0

    def whole(self, folder: str, name: str, path: str, *lists: str) -> int:
        """An object and its lists; the bytes that are new. It is kept last, so that it says that
        the rest is there, and as it was before them: what had ended by then has all of its lists.
        """
        data = self.source.record(path)
        size = sum(self.pages(f"{folder}/{each}", f"{path}/{each}") for each in lists)
        return size + len(data) * self.archive.put(f"{folder}/{name}", data)

    def pages(self, name: str, path: str, **query: Any) -> int:
        """A list of which nothing goes away, page by page; the bytes that are new."""
        size = 0
        for at, page in enumerate(self.source.pages(path, **query), 1):
            size += len(page.raw) * self.archive.put(f"{name}-{at:04}.json", page.raw)
        return size


class _Refused(Exception):
    def __init__(self, line: Line) -> None:
        super().__init__(line.message)
        self.line = line


def _each(
    fetching: _Fetching,
    kind: str,
    found: Iterator[dict[str, Any]],
    one: Callable[[_Fetching, dict[str, Any]], Line],
) -> Iterator[Line]:
    try:
        for each in found:
            try:
                yield one(fetching, each)
            except SourceError as error:
                if error.fatal:
                    raise
                yield _failed(kind, _called(each), error)
            except BadRequest as error:
                yield Line(kind, _called(each), "failed", 0, error.message)
            except _TAKEN:
                what = "It cannot be kept: another object has a name that its folder would have."
                yield Line(kind, _called(each), "failed", 0, what)
    except _Refused as refused:
        yield refused.line


def _called(record: dict[str, Any]) -> str:
    return str(record.get("id"))[: names.LONGEST_FOREIGN]


def _failed(kind: str, id: str, error: SourceError) -> Line:
    return Line(kind, id, "failed", 0, error.message, error.remedy)


def _models(fetching: _Fetching) -> Iterator[Line]:
    tuned = (m for m in fetching.list("models", "/models") if text(m.get("id")).startswith("ft:"))
    return _each(fetching, "model", tuned, _record("model", "/models"))


def _record(kind: str, path: str) -> Callable[[_Fetching, dict[str, Any]], Line]:
    """Keeps an object that is all in one piece."""

    def keep(fetching: _Fetching, record: dict[str, Any]) -> Line:
        id = names.foreign(record.get("id"))
        size = fetching.object(f"{path[1:]}/{id}.json", f"{path}/{id}")
        return Line(kind, _called(record), "fetched" if size else "kept", size)

    return keep


def _files(fetching: _Fetching) -> Iterator[Line]:
    for purpose in PURPOSES:
        found = fetching.list("files", "/files", limit=1000, purpose=purpose)
        yield from _each(fetching, "file", found, _file)


def _file(fetching: _Fetching, record: dict[str, Any]) -> Line:
    id, name = _called(record), f"files/{names.foreign(record.get('id'))}"
    content = f"{name}.content"
    if fetching.archive.has(content):
        return Line("file", id, "kept")
    fetching.object(f"{name}.json", f"/{name}")
    try:
        with fetching.source.stream(f"/{name}/content") as pieces:
            size = fetching.archive.put_pieces(content, pieces)
    except SourceError as error:
        if id not in fetching.given or error.fatal:
            raise
        size = fetching.archive.put_pieces(content, [fetching.given[id].read_bytes()])
        return Line("file", id, "given", size, error.message)
    return Line("file", id, "fetched", size)


def _given(fetching: _Fetching) -> Iterator[Line]:
    """What was given by hand of files that the source does not even list."""
    for id, path in fetching.given.items():
        content = f"files/{names.foreign(id)}.content"
        if not fetching.archive.has(content):
            size = fetching.archive.put_pieces(content, [path.read_bytes()])
            yield Line("file", id, "given", size)


def _jobs(fetching: _Fetching) -> Iterator[Line]:
    return _each(fetching, "job", fetching.list("jobs", "/fine_tuning/jobs"), _job)


def _job(fetching: _Fetching, record: dict[str, Any]) -> Line:
    id, named = _called(record), names.foreign(record.get("id"))
    path, folder = f"/fine_tuning/jobs/{named}", f"jobs/{named}"
    if _settled(fetching.archive, folder):
        return Line("job", id, "kept")
    size = fetching.whole(folder, "job.json", path, "events", "checkpoints")
    return Line("job", id, "fetched" if size else "kept", size)


def _settled(archive: Archive, folder: str) -> bool:
    """Whether a job or run was fetched after its end: nothing of it changes any more."""
    for name in (f"{folder}/job.json", f"{folder}/run.json"):
        if archive.has(name):
            return text(archive.record(name).get("status")) in _ENDED
    return False


def _evals(fetching: _Fetching) -> Iterator[Line]:
    for record in _caught(found := [], fetching.list("evals", "/evals")):
        [line] = _each(fetching, "eval", iter([record]), _record("eval", "/evals"))
        yield line
        if line.state == "failed":  # its runs come with it when it can be read
            continue
        path = f"/evals/{names.foreign(record.get('id'))}/runs"
        yield from _each(fetching, "run", fetching.list("runs", path), _run_of(record))
    yield from found


def _caught(lines: list[Line], records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from records
    except _Refused as refused:
        lines.append(refused.line)


def _run_of(record: dict[str, Any]) -> Callable[[_Fetching, dict[str, Any]], Line]:
    def keep(fetching: _Fetching, run: dict[str, Any]) -> Line:
        folder = f"evals/{names.foreign(record.get('id'))}/runs/{names.foreign(run.get('id'))}"
        if _settled(fetching.archive, folder):
            return Line("run", _called(run), "kept")
        size = fetching.whole(folder, "run.json", f"/{folder}", "output_items")
        return Line("run", _called(run), "fetched" if size else "kept", size)

    return keep


def _completions(fetching: _Fetching) -> Iterator[Line]:
    found = fetching.list("completions", "/chat/completions")
    return _each(fetching, "completion", found, _completion)


def _completion(fetching: _Fetching, record: dict[str, Any]) -> Line:
    id, named = _called(record), names.foreign(record.get("id"))
    folder = f"completions/{named}"
    if fetching.archive.has(f"{folder}/completion.json"):
        return Line("completion", id, "kept")
    path = f"/chat/completions/{named}"
    size = fetching.whole(folder, "completion.json", path, "messages")
    return Line("completion", id, "fetched", size)
