"""The demo's search: a table of reviews through /v1/embeddings, then nearest neighbours."""

import numpy as np
from rich.table import Table
from rich.text import Text

from tunewright import samples
from tunewright.analysis.nearest import nearest
from tunewright.cli.demo.client import Client
from tunewright.cli.terminal import say, screen
from tunewright.tables.whole import read_rows

QUERIES = ("headphones for a long flight", "what can I feed my cat?", "this coffee is too bitter")
BEST = 3


def search(client: Client) -> None:
    rows = read_rows(samples.REVIEWS)
    vectors = np.array(client.embed([row["text"] for row in rows]), np.float32)
    say(f"{len(rows)} reviews -> {vectors.shape[1]} dimensions each, over /v1/embeddings")
    say("The most similar ones to three questions, with their similarity:")
    ids, scores = nearest(np.array(client.embed(list(QUERIES)), np.float32), vectors, BEST)
    for query, found, how_near in zip(QUERIES, ids, scores, strict=True):
        table = Table(box=None, pad_edge=False, show_header=False)
        for place, score in zip(found, how_near, strict=True):
            row = rows[place]
            table.add_row(f"  {score:.2f}", Text(row["product"], "dim"), Text(row["text"]))
        screen.print(Text(f"\n'{query}'", "bold"))
        screen.print(table)
