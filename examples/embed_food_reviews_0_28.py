"""The same as embed_food_reviews.py with the SDK of the guide's time, openai 0.28.

    python embed_food_reviews_0_28.py REVIEWS.csv OUT.csv

Server and key are those in OPENAI_API_BASE (or OPENAI_BASE_URL) and OPENAI_API_KEY.
"""

import os
import sys
from ast import literal_eval

import numpy as np
import openai
import pandas as pd

from tunewright import num_tokens_from_string

MODEL = "text-embedding-ada-002"
ENCODING = "cl100k_base"
MOST_TOKENS = 8000
NEWEST = 1000
BATCH = 200

if "OPENAI_BASE_URL" in os.environ:  # what later SDKs read
    openai.api_base = os.environ["OPENAI_BASE_URL"]


def read_reviews(path: str) -> pd.DataFrame:
    reviews = pd.read_csv(path, index_col=0).dropna(subset=["Summary", "Text"])
    reviews["combined"] = (
        "Title: " + reviews.Summary.str.strip() + "; Content: " + reviews.Text.str.strip()
    )
    reviews["n_tokens"] = [num_tokens_from_string(text, ENCODING) for text in reviews.combined]
    short = reviews[reviews.n_tokens <= MOST_TOKENS]
    return short.sort_values("Time").tail(NEWEST)


def embed(texts: list[str]) -> list[list[float]]:
    vectors: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        answer = openai.Embedding.create(model=MODEL, input=texts[start : start + BATCH])
        vectors += [each["embedding"] for each in answer["data"]]
    return vectors


def main() -> None:
    source, target = sys.argv[1:]
    reviews = read_reviews(source)
    reviews["embedding"] = embed(list(reviews.combined))
    reviews.to_csv(target)
    loaded = pd.read_csv(target, index_col=0)
    loaded["embedding"] = loaded.embedding.apply(literal_eval).apply(np.array)
    matrix = np.stack(list(loaded.embedding))
    print(f"{len(loaded)} reviews of {loaded.n_tokens.sum()} tokens, {matrix.shape[1]} dimensions")


if __name__ == "__main__":
    main()
