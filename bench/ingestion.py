"""2,000 Markdown pages into a vector store: ours, and LangChain's splitter with the same model.

    make .sdk/chroma/.langchain
    .venv/bin/python bench/ingestion.py --texts DIR [--pages 2000] [--rounds 1] [--model DIR]
        [--precision exact] [--kills 20 --killed-pages 400]

--texts: files *.jsonl.gz with `text` in their rows, by turns (each shuffled, seed 0). A page is one
text: its first sentence as the title, its paragraphs up to some 1,500 characters, a heading of five
words before every second. --model: a directory of sentence-transformers' files; by default
all-MiniLM-L6-v2, of the extra `bench`. It takes 256 tokens at most, so chunks have at most 200 of
the model's own, and share up to 50 with the one before, for both.

Ours: a server; files are uploaded one by one, then attached by one call, and it ends when all are
searchable. The rival reads the same files from a folder: MarkdownTextSplitter with the model's
tokenizer, HuggingFaceEmbeddings (sentence-transformers, torch, float32), Chroma on disk, in one
process. Starting, importing and loading the model are not counted for either; both use all cores.
Printed are pages and chunks a second by the clock, and pages a second of the processor of all
processes.

--kills: a server is killed (-9, with its children) that often while it ingests, and started again:
each time up to 0.8 of a share of the time that one takes which nobody kills, after it has got
further by a file at least (what ends its worker three times in a row is given up, by design). Then
each file's chunks are compared with those of that other store, and the index is read: every chunk
once.
"""

import argparse
import gzip
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "bench"), str(HERE / "bench" / "vectors")]
from data import minilm  # noqa: E402
from machine import described  # noqa: E402

SIZE, OVERLAP = 200, 50  # tokens of a chunk
LENGTH = 1_500  # characters of a page
LANGCHAIN = HERE / ".sdk" / "chroma" / "bin" / "python"
CHUNKED = {
    "type": "static",
    "static": {"max_chunk_size_tokens": SIZE, "chunk_overlap_tokens": OVERLAP},
}


def main() -> None:
    asked = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers are ended then, too
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = list(_written(place / "pages", _pages(asked.texts, asked.pages)))
        model = (asked.model or minilm()).resolve()
        _added(place / "home", model, asked.precision)
        found: dict[str, list[dict]] = {}
        for turn in range(asked.rounds):
            found.setdefault(f"ours, {asked.precision}", []).append(_ours(place / "home", files))
            if LANGCHAIN.exists():
                rival = _langchain(place / "pages", model, place / f"chroma-{turn}")
                found.setdefault("LangChain, Chroma", []).append(rival)
            else:
                print("LangChain is left out: make .sdk/chroma/.langchain", file=sys.stderr)
        _print(found, len(files))
        if asked.kills:
            _kills(place / "home", files[: asked.killed_pages], asked.kills)
    print(f"\n{described()}")


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Markdown pages into a vector store.")
    options.add_argument("--texts", type=Path, required=True)
    options.add_argument("--pages", type=int, default=2_000)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--model", type=Path, default=None)
    options.add_argument("--precision", choices=("exact", "fast"), default="exact")
    options.add_argument("--kills", type=int, default=0)
    options.add_argument("--killed-pages", type=int, default=400)
    return options.parse_args()


def _print(found: dict[str, list[dict]], pages: int) -> None:
    print(f"\n{pages} pages, medians of {len(next(iter(found.values())))} rounds\n")
    print("| what | pages/s | chunks/s | chunks | pages/s of the processor | upload, s |")
    print("|---|---|---|---|---|---|")
    for name, rounds in found.items():
        took, used, chunks, upload = (
            statistics.median(each[key] for each in rounds)
            for key in ("took", "used", "chunks", "upload")
        )
        print(
            f"| {name} | {pages / took:.1f} | {chunks / took:.1f} | {chunks:.0f} "
            f"| {pages / used:.1f} | {upload:.1f} |"
        )


# The pages.


def _pages(texts: Path, count: int) -> Iterator[str]:
    drawn, sources = random.Random(0), []
    for file in sorted(texts.rglob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            rows = [json.loads(line).get("text") for line in lines]
        if any(rows):
            drawn.shuffle(rows)
            sources.append(iter([row for row in rows if row and len(row) > LENGTH / 2]))
    made = 0
    while sources and made < count:
        for source in [*sources]:
            if (text := next(source, None)) is None:
                sources.remove(source)
            elif made < count:
                made += 1
                yield _page(text)
    if made < count:
        sys.exit(f"{texts} has {made} texts; {count} are needed.")


def _page(text: str) -> str:
    title = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
    lines, size = [f"# {title[:60]}"], 0
    for number, paragraph in enumerate(each.strip() for each in text.split("\n") if each.strip()):
        if number % 2:
            lines.append("## " + " ".join(paragraph.split()[:5]))
        lines.append(paragraph[:LENGTH])
        size += len(lines[-1])
        if size >= LENGTH:
            break
    return "\n\n".join(lines) + "\n"


def _written(folder: Path, pages: Iterator[str]) -> Iterator[Path]:
    folder.mkdir()
    for number, page in enumerate(pages):
        file = folder / f"page-{number:05}.md"
        file.write_text(page)
        yield file


# Ours.


def _tunewright(*command: object) -> None:
    told = [sys.executable, "-m", "tunewright", *map(str, command)]
    subprocess.run(told, check=True, stdout=subprocess.DEVNULL)


def _added(home: Path, model: Path, precision: str) -> None:
    _tunewright("models", "add", "minilm", model, "--precision", precision, "--home", home)


class Running:
    """A server and a client of it."""

    def __init__(self, home: Path, key: str = "") -> None:
        command = [sys.executable, "-m", "tunewright", "serve", "--home", str(home), "--port", "0"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        printed = ""
        while not (url := re.search(r"http://\S+:\d+/v1", printed)):
            line = self._process.stdout.readline()
            assert line, printed
            printed += line
        while not key:
            printed += self._process.stdout.readline()
            key = next(iter(re.findall(r"sk-tw-[\w-]+", printed)), "")
        self.key = key
        headers = {"authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=url[0], headers=headers, timeout=300)

    def ask(self, method: str, path: str, **body) -> dict:
        answer = self.http.request(method, path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, file: Path) -> str:
        given = {"file": (file.name, file.read_bytes())}
        return self.ask("POST", "/files", data={"purpose": "assistants"}, files=given)["id"]

    def store(self) -> str:
        return self.ask("POST", "/vector_stores", json={"embedding_model": "minilm"})["id"]

    def attach(self, store: str, files: list[str]) -> str:
        asked = {"file_ids": files, "chunking_strategy": CHUNKED}
        return self.ask("POST", f"/vector_stores/{store}/file_batches", json=asked)["id"]

    def counts(self, store: str, batch: str) -> dict[str, int]:
        found = self.ask("GET", f"/vector_stores/{store}/file_batches/{batch}")["file_counts"]
        assert not found["failed"] + found["cancelled"], found
        return found

    def processes(self) -> list[psutil.Process]:
        whole = psutil.Process(self._process.pid)
        return [whole, *whole.children(recursive=True)]

    def seconds(self) -> float:
        """Of the processor, children that have ended included."""
        used = 0.0
        for process in self.processes():
            took = process.cpu_times()
            used += took.user + took.system + took.children_user + took.children_system
        return used

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def kill(self) -> None:
        """All of its processes at once."""
        for process in self.processes():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()


@contextmanager
def _served(home: Path) -> Iterator[Running]:
    server = Running(home, _key_of(home))
    _key_of.kept[str(home)] = server.key
    try:
        yield server
    finally:
        server.stop()


def _key_of(home: Path) -> str:
    """The first start alone shows a key."""
    return _key_of.kept.get(str(home), "")


_key_of.kept = {}


def _warm(server: Running) -> None:
    asked = {"model": "minilm", "input": "The first one loads the model."}
    server.ask("POST", "/embeddings", json=asked)


def _ours(home: Path, files: list[Path]) -> dict:
    with _served(home) as server:
        _warm(server)
        used, started = server.seconds(), time.perf_counter()
        ids = [server.upload(file) for file in files]
        uploaded = time.perf_counter()
        store = server.store()
        batch = server.attach(store, ids)
        while server.counts(store, batch)["completed"] < len(files):
            time.sleep(0.1)
        took = time.perf_counter() - started
        used = server.seconds() - used
        chunks = sum(map(len, _chunks(home, store)))
        print(f"ours: {took:.1f} s, {used:.1f} of it used", file=sys.stderr)
        return {"took": took, "used": used, "chunks": chunks, "upload": uploaded - started}


def _langchain(pages: Path, model: Path, store: Path) -> dict:
    script = Path(__file__).with_name("ingestion_langchain.py")
    site = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    command = [LANGCHAIN, script, pages, model, store, site, SIZE, OVERLAP]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2_000:])
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"LangChain: {found['took']:.1f} s, {found['used']:.1f} of the processor", file=sys.stderr
    )
    return found


# Killed.


def _kills(home: Path, files: list[Path], kills: int) -> None:
    with _served(home) as server:
        _warm(server)
        whole = server.store()
        ids = [server.upload(file) for file in files]
        started = time.perf_counter()
        batch = server.attach(whole, ids)
        while server.counts(whole, batch)["completed"] < len(files):
            time.sleep(0.1)
        took = time.perf_counter() - started
    server, drawn, seen = Running(home, server.key), random.Random(0), []
    try:
        store = server.store()
        batch = server.attach(store, ids)
        for _ in range(kills):
            before = seen[-1] if seen else 0
            while server.counts(store, batch)["completed"] <= before:
                time.sleep(0.02)
            time.sleep(drawn.uniform(0, 0.8) * took / kills)
            seen.append(server.counts(store, batch)["completed"])
            server.kill()
            server = Running(home, server.key)
        while server.counts(store, batch)["completed"] < len(files):
            time.sleep(0.1)
    finally:
        server.stop()
    found = _chunks(home, store)
    assert found == _chunks(home, whole), "the chunks of the two stores differ"
    assert [chunk.id for file in found for chunk in file] == _indexed(home, store)
    print(
        f"\n{kills} kills after {seen} of {len(files)} files: {sum(map(len, found))} chunks, "
        "each once in the index, as in the store that nobody killed"
    )


def _chunks(home: Path, store: str) -> list[list]:
    """Of each file, in the order of the files' ids."""
    from tunewright.chunks import ChunkStore

    kept = ChunkStore(home / "vectors" / store / "chunks.db")
    found = [kept.of(file) for file in sorted(kept.files())]
    kept.close()
    return found


def _indexed(home: Path, store: str) -> list[str]:
    """The ids of the vectors, as often as they are there."""
    from tunewright.vectors import open_index

    index = open_index(home / "vectors")
    ids: list[str] = []
    while rows := index.read(store, ids[-1] if ids else None).ids:
        ids += rows
    index.close()
    return ids


if __name__ == "__main__":
    main()
