"""A question about every row of a table, as one batch: asked when the server has the time for it.

    python batch_reviews.py REVIEWS.csv ANSWERS.csv

Server and key are those in OPENAI_BASE_URL and OPENAI_API_KEY. The table has the column Text. The
same code runs at OpenAI.
"""

import csv
import io
import json
import sys
import time

from openai import OpenAI
from openai.types import Batch

MODEL = "gpt-4o-mini"
URL = "/v1/chat/completions"
TASK = "Is this review positive or negative? Answer with one word."
ENDED = ("completed", "failed", "expired", "cancelled")


def requests(rows: list[dict[str, str]]) -> bytes:
    """One a line; its custom_id says afterwards whose answer it is."""
    lines = [
        {
            "custom_id": f"row-{number}",
            "method": "POST",
            "url": URL,
            "body": {
                "model": MODEL,
                "messages": [
                    {"role": "system", "content": TASK},
                    {"role": "user", "content": row["Text"]},
                ],
                "temperature": 0,
                "max_tokens": 5,
            },
        }
        for number, row in enumerate(rows)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def ask(client: OpenAI, rows: list[dict[str, str]]) -> Batch:
    """The batch, when it has ended. It goes on if this program, or the server, is stopped."""
    file = client.files.create(file=("requests.jsonl", io.BytesIO(requests(rows))), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint=URL, completion_window="24h", metadata={"of": "reviews"}
    )
    while batch.status not in ENDED:
        time.sleep(1)
        batch = client.batches.retrieve(batch.id)
        counts = batch.request_counts
        print(f"\r{batch.status}: {counts.completed} of {counts.total}  ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return batch


def answers(client: OpenAI, batch: Batch) -> dict[str, str]:
    """By custom_id. The error file has the requests that failed, each with its reason."""
    for error in batch.errors.data if batch.errors else []:
        print(f"line {error.line}: {error.message}")
    if batch.error_file_id:
        print(client.files.content(batch.error_file_id).text)
    if not batch.output_file_id:
        return {}
    lines = client.files.content(batch.output_file_id).text.splitlines()
    found = map(json.loads, lines)
    return {
        line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"]
        for line in found
    }


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["Text"]]
    client = OpenAI()
    batch = ask(client, rows)
    by_id = answers(client, batch)
    with open(target, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*rows[0], "answer"])
        table.writeheader()
        for number, row in enumerate(rows):
            table.writerow({**row, "answer": by_id.get(f"row-{number}", "")})
    print(f"{batch.status}: {len(by_id)} answers for {len(rows)} reviews")


if __name__ == "__main__":
    main()
