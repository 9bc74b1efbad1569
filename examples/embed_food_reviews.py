"""Food reviews with their vectors, as a CSV file: the recipe of OpenAI's guide, with today's SDK.

    python embed_food_reviews.py REVIEWS.csv OUT.csv

Server and key are those in OPENAI_BASE_URL and OPENAI_API_KEY. The table has the columns Time,
Summary and Text, such as Amazon's fine-food reviews.
"""

import sys
from ast import literal_eval

import numpy as np
import pandas as pd
from openai import OpenAI

from tunewright import num_tokens_from_string

MODEL = "text-embedding-3-small"
ENCODING = "cl100k_base"  # counted as tiktoken counts, without a download
MOST_TOKENS = 8000  # the API takes 8,192
NEWEST = 1000
BATCH = 200  # texts of a request: it may have 300,000 tokens


def read_reviews(path: str) -> pd.DataFrame:
    """The newest reviews that are not too long, with title and text as one column."""
    reviews = pd.read_csv(path, index_col=0).dropna(subset=["Summary", "Text"])
    reviews["combined"] = (
        "Title: " + reviews.Summary.str.strip() + "; Content: " + reviews.Text.str.strip()
    )
    reviews["n_tokens"] = [num_tokens_from_string(text, ENCODING) for text in reviews.combined]
    short = reviews[reviews.n_tokens <= MOST_TOKENS]
    return short.sort_values("Time").tail(NEWEST)


def embed(texts: list[str]) -> list[list[float]]:
    client = OpenAI()
    vectors: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        answer = client.embeddings.create(model=MODEL, input=texts[start : start + BATCH])
        vectors += [each.embedding for each in answer.data]
    return vectors


def main() -> None:
    source, target = sys.argv[1:]
    reviews = read_reviews(source)
    reviews["embedding"] = embed(list(reviews.combined))
    reviews.to_csv(target)

    # This is how they are read again, with no server at all.
    loaded = pd.read_csv(target, index_col=0)
    loaded["embedding"] = loaded.embedding.apply(literal_eval).apply(np.array)
    matrix = np.stack(list(loaded.embedding))  # [reviews, dimensions]
    likeness = matrix @ matrix[-1]  # vectors have length 1: the cosine
    nearest = loaded.iloc[int(np.argsort(likeness)[-2])]
    print(f"{len(loaded)} reviews of {loaded.n_tokens.sum()} tokens, {matrix.shape[1]} dimensions")
    print("newest: ", loaded.combined.iloc[-1][:70])
    print("nearest:", nearest.combined[:70])


if __name__ == "__main__":
    main()
