"""The part of the story that is told of vector stores: files are put in, read, searched, taken out.

Every body is validated against the SDK's types (`answers.typed`)."""

from pathlib import Path

from answers import done, every, typed

TEXTS = {
    "taffy.md": "# Taffy\n\nSalt water taffy is pulled until it is light.\n",
    "tea.txt": "Green tea is poured at eighty degrees and never boiled.\n",
    "notes.bin": b"\x00\x01\x02 nothing that can be read \xff",
    "long.txt": "One sentence after another, and none of them says much. " * 1500,
}


async def stores_told(counted) -> None:
    for name, text in TEXTS.items():
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    stores = counted.vector_stores
    days = {"anchor": "last_active_at", "days": 7}
    store = await done(stores.create(name="Sweets", expires_after=days, metadata={"a": "b"}))
    assert (store.name, store.status, store.file_counts.total) == ("Sweets", "completed", 0)
    assert store.expires_at == store.last_active_at + 7 * 24 * 3600
    taffy = await files_told(counted, store.id)
    await batches_of_files_told(stores, store.id)
    await search_told(stores, store.id, taffy)

    changed = await done(stores.update(store.id, name="Sweets and drinks", metadata={}))
    assert (changed.name, changed.metadata, changed.expires_after.days) == (
        "Sweets and drinks",
        {},
        7,
    )
    assert store.id in [typed(found).id for found in await every(stores.list(limit=1))]
    assert (await done(stores.files.delete(taffy, vector_store_id=store.id))).deleted
    found = await every(stores.search(store.id, query="How is taffy made?"))
    assert taffy not in [result.file_id for result in found]
    assert (await done(stores.retrieve(store.id))).usage_bytes > 0
    assert (await done(stores.delete(store.id))).deleted


async def files_told(counted, store: str) -> str:
    """The id of taffy.md, which is in the store then."""
    files = counted.vector_stores.files
    taffy = await done(files.upload_and_poll(vector_store_id=store, file=Path("taffy.md")))
    assert (taffy.status, taffy.last_error) == ("completed", None), taffy
    assert taffy.chunking_strategy.static.max_chunk_size_tokens == 800
    again = await done(files.upload(vector_store_id=store, file=Path("taffy.md")))
    assert (await done(files.poll(again.id, vector_store_id=store))).status == "completed"
    assert (await done(counted.files.delete(again.id))).deleted
    kept = await every(files.list(store, limit=1, order="asc", filter="completed"))
    assert [file.id for file in kept] == [taffy.id], "a deleted file leaves its stores"
    kinds = {"kind": "sweet", "hot": False, "sugar": 0.9}
    attached = {"vector_store_id": store, "attributes": kinds}
    made = await done(files.create(file_id=taffy.id, **attached))
    assert made.attributes == kinds
    made = await done(files.create_and_poll(taffy.id, **attached))
    assert (made.status, made.attributes) == ("completed", kinds)
    assert (await done(files.retrieve(taffy.id, vector_store_id=store))).usage_bytes > 0
    content = await every(files.content(taffy.id, vector_store_id=store))
    assert "pulled until it is light" in "".join(typed(part).text for part in content)
    return taffy.id


async def batches_of_files_told(stores, store: str) -> None:
    batches = stores.file_batches
    paths = [Path("tea.txt"), Path("notes.bin")]
    batch = await done(batches.upload_and_poll(store, files=paths))
    assert batch.status == "completed", batch
    assert (batch.file_counts.completed, batch.file_counts.failed) == (1, 1), batch
    listed = await every(batches.list_files(batch.id, vector_store_id=store, limit=1))
    by_status = {typed(file).status: file for file in listed}
    assert by_status["failed"].last_error.code in ("unsupported_file", "invalid_file")
    tea = by_status["completed"].id
    drink = {"kind": "drink", "hot": True, "degrees": 80}
    again = await done(batches.create(store, file_ids=[tea], attributes=drink))
    again = await done(batches.poll(again.id, vector_store_id=store))
    assert (again.status, again.file_counts.completed) == ("completed", 1)
    assert (await done(batches.create_and_poll(store, file_ids=[tea]))).id
    changed = await done(stores.files.update(tea, vector_store_id=store, attributes=drink))
    assert changed.attributes == drink
    long = await done(stores.files.upload(vector_store_id=store, file=Path("long.txt")))
    going = await done(batches.create(store, file_ids=[long.id]))
    assert (await done(batches.cancel(going.id, vector_store_id=store))).status == "cancelled"
    ended = await done(batches.retrieve(going.id, vector_store_id=store))
    assert (ended.status, ended.file_counts.total) == ("cancelled", 1)
    await done(stores.files.delete(long.id, vector_store_id=store))


async def search_told(stores, store: str, taffy: str) -> None:
    query = "How is taffy made?"
    best, *_ = await every(stores.search(store, query=query, max_num_results=2))
    assert (typed(best).file_id, best.filename) == (taffy, "taffy.md")
    assert 0 < best.score <= 1 and best.attributes["kind"] == "sweet"
    assert "pulled" in best.content[0].text
    hot = {"type": "eq", "key": "hot", "value": True}
    warm = {"type": "gte", "key": "degrees", "value": 80}
    both = {"type": "and", "filters": [hot, warm]}
    found = await every(stores.search(store, query=[query, "water"], filters=both))
    assert {result.filename for result in found} == {"tea.txt"}
    strict = {"ranker": "auto", "score_threshold": 1}
    named = {"rewrite_query": True, "ranking_options": strict}
    raw = await done(stores.with_raw_response.search(store, query=query, **named))
    page = raw.parse()
    assert (page.data, page.has_more) == ([], False)
    assert raw.http_response.json()["search_query"] == [query]
