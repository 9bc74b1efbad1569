"""Vector stores whose vectors are in another index than that of the home."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from vector_databases import poor

from tunewright.app import Tunewright
from tunewright.errors import BadRequest
from tunewright.settings import Settings
from tunewright.work.worker import Worker


@contextmanager
def working(home: Path, vectors: str) -> Iterator[Tunewright]:
    tw = Tunewright(settings=Settings.read(home, vectors=vectors))
    worker = Worker(tw, "w1", lanes=("ingest", "tidy"))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield tw
    finally:
        worker.stopping.set()
        thread.join()
        tw.close()


@pytest.mark.slow
def test_the_setting_says_where_vectors_are_kept(tmp_path: Path) -> None:
    """In a database that can do next to nothing, searched as the embedded index is."""
    home = tmp_path / "home"
    with poor(tmp_path / "elsewhere") as place, working(home, place) as tw:
        store = tw.vector_stores.create(embedding_model="builtin-static").id
        for name in ("tax", "taffy"):
            text = f"All about {name}.".encode()
            file = tw.files.create(file=text, filename=f"{name}.txt", purpose="assistants").id
            attributes = {"about": name}
            tw.vector_stores.files.create(store, file_id=file, attributes=attributes)
            assert tw.vector_stores.files.poll(file, vector_store_id=store).status == "completed"

        def found(where: str) -> list[str]:
            filters = {"type": "ne", "key": "about", "value": where}
            page = tw.vector_stores.search(store, query="taffy", filters=filters)
            return [hit.filename for hit in page.data]

        assert tw.contents.index.count(store) == 2
        assert found("tax") == ["taffy.txt"]
        assert found("taffy") == ["tax.txt"]
        assert tw.vector_stores.retrieve(store).embedding.index == "poor"
        assert not list((home / "vectors").rglob("index.db"))
    with working(home, "") as tw:
        with pytest.raises(BadRequest, match=r"'poor', and the setting `vectors` says 'local' now"):
            tw.vector_stores.search(store, query="taffy")
        tw.vector_stores.reembeddings.create(store, model="builtin-static")
