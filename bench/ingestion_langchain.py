"""The rival of `ingestion.py`, in an environment without Tunewright.

python ingestion_langchain.py PAGES MODEL STORE SITE SIZE OVERLAP

SITE: where torch and transformers are taken from, after this environment's own packages.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ANONYMIZED_TELEMETRY"] = "False"


def main() -> None:
    pages, model, store, site = sys.argv[1:5]
    size, overlap = map(int, sys.argv[5:])
    sys.path.append(site)
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import MarkdownTextSplitter
    from transformers import AutoTokenizer

    embeddings = HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"})
    splitter = MarkdownTextSplitter.from_huggingface_tokenizer(
        AutoTokenizer.from_pretrained(model), chunk_size=size, chunk_overlap=overlap
    )
    kept = Chroma("bench", embeddings, persist_directory=store)
    embeddings.embed_query("The first one loads the model.")
    started, used = time.perf_counter(), time.process_time()
    documents = [
        Document(file.read_text(), metadata={"filename": file.name})
        for file in sorted(Path(pages).iterdir())
    ]
    chunks = splitter.split_documents(documents)
    for start in range(0, len(chunks), 5_000):  # Chroma takes 5,461 at most
        kept.add_documents(chunks[start : start + 5_000])
    took, used = time.perf_counter() - started, time.process_time() - used
    print(json.dumps({"took": took, "used": used, "chunks": len(chunks), "upload": 0}))


if __name__ == "__main__":
    main()
