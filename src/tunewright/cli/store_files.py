"""Files on their way into a vector store, as `tunewright vectors add` brings them there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.cli.terminal import notes
from tunewright.cli.verbs import bar
from tunewright.errors import BadRequest, JobFailed, TunewrightError
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.vector_store_files import VectorStoreFile, VectorStoreFileBatch

_NAMED = 10  # files that could not be read


def chunking(tokens: int, overlap: int | None) -> dict[str, Any]:
    overlap = min(400, tokens // 2) if overlap is None else overlap
    sizes = {"max_chunk_size_tokens": tokens, "chunk_overlap_tokens": overlap}
    return {"type": "static", "static": sizes}


def checked(files: Sequence[str]) -> dict[str, Path]:
    """Those that are no ids. Raises BadRequest, before anything is uploaded, for one that is not
    there."""
    paths = {name: Path(name).expanduser() for name in files}
    for name, path in paths.items():
        if path.is_dir():
            raise BadRequest(f"{name} is a folder. Name its files, such as {name.rstrip('/')}/*.")
        if not path.is_file() and (not name.startswith("file-") or path.suffix):
            raise BadRequest(f"There is no file {name}.", param="FILE")
    return {name: path for name, path in paths.items() if path.is_file()}


def attached(
    tw: "Tunewright",
    store: str,
    files: Sequence[str],
    paths: dict[str, Path],
    given: dict[str, Any],
) -> "tuple[list[str], list[VectorStoreFileBatch]]":
    """The ids of the files, in their order, and the batches that they are attached by. Where one is
    refused, nothing stays uploaded."""
    from tunewright.records.vector_store_files import MOST_FILES

    made: list[str] = []
    try:
        ids = list(_uploaded(tw, files, paths, made))
        batches = [
            tw.vector_stores.file_batches.create(store, file_ids=ids[at : at + MOST_FILES], **given)
            for at in range(0, len(ids), MOST_FILES)
        ]
    except TunewrightError:
        for id in made:
            tw.files.delete(id)
        raise
    return ids, batches


def _uploaded(
    tw: "Tunewright", files: Sequence[str], paths: dict[str, Path], made: list[str]
) -> Iterator[str]:
    """Ids of files. made: hears of those that are new."""
    with bar() as show:
        for number, name in enumerate(files):
            show("Uploading", number, len(files), f"{number:,}/{len(files):,}")
            if path := paths.get(name):
                made.append(tw.files.create(file=path, purpose="assistants").id)
            yield made[-1] if path else tw.files.retrieve(name).id


def follow(tw: "Tunewright", store: str, batches: "Sequence[VectorStoreFileBatch]") -> None:
    """Until the worker has read them all."""
    total, before = sum(batch.file_counts.total for batch in batches), 0
    with bar(left=True) as show:
        for batch in batches:
            done = 0
            for now in tw.vector_stores.file_batches.follow(batch.id, vector_store_id=store):
                counts = now.file_counts
                done = counts.total - counts.in_progress
                show("Reading", before + done, total, f"{before + done:,}/{total:,} files")
            before += done


def tell_of_failed(read: "Sequence[VectorStoreFile]", names: dict[str, str]) -> None:
    failed = [file for file in read if file.status != "completed"]
    for file in failed[:_NAMED]:
        why = file.last_error.message if file.last_error else f"It is {file.status}."
        notes.print(f"{names[file.id]}: {why}", markup=False, soft_wrap=True)
    if failed:
        raise JobFailed(f"{counted(len(failed), 'file')} of {len(read):,} could not be read.")
