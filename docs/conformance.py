"""Writes docs/conformance.md from docs/conformance.json. Run by `make conformance`, which first has
the stories of tests/test_story.py write down what became of every call that an SDK offers."""

import json
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "conformance.md"
OLD = "0.28.1"

HEAD = """# Conformance

What becomes of each call of the official SDKs, unmodified, against a running server. Made by
`make conformance` from what the stories of `tests/test_story.py` counted; `make test` runs them
again and fails where a call that is "yes" here is answered no more. The calls are those that each
SDK itself has for files, uploads, fine-tuning, models, chat, completions, embeddings, batches and
vector stores, found in its classes, synchronous and asynchronous.

- **yes**: answered; every body fits the SDK's own types.
- **refused**: an error of OpenAI's shape, with this status, that says why.
- **-**: the SDK has no such call.
"""

FOOT = """## What falls short

- Stored completions (`chat.completions.list`, `retrieve`, `update`, `delete`, `messages.list`) and
  graders (`fine_tuning.alpha`) are not offered.
- `File.adownload` of 0.28.1, and `files.retrieve` and `files.delete` of the command line of
  1.109.1, fail in the SDK itself, before anything is sent.
- Every body is checked against the SDK's types; that an answer means what OpenAI's means is checked
  by hand-made assertions in the stories, not against OpenAI.
"""


def page() -> str:
    results = {version: parts["calls"] for version, parts in json.loads(_results()).items()}
    newer = [version for version in results if version != OLD]
    lines = [HEAD, *_totals(results), "", "## 1.x to 3.x", "", *_table(results, newer), ""]
    if OLD in results:
        lines += ["## 0.28.1", "", *_table(results, [OLD]), ""]
    return "\n".join([*lines, FOOT])


def _results() -> str:
    return (HERE / "conformance.json").read_text("utf-8")


def _totals(results: dict) -> list[str]:
    lines = ["| SDK | calls | sync | async |", "|---|---|---|---|"]
    for version, found in results.items():
        shares = " | ".join(_share(found, kind) for kind in ("sync", "async"))
        lines.append(f"| {version} | {len(found['offered'])} | {shares} |")
    return lines


def _share(found: dict, kind: str) -> str:
    states = [found[kind].get(call) for call in found["offered"]]
    return f"{states.count('yes')}/{len(states) - states.count('-')}"


def _table(results: dict, versions: list[str]) -> list[str]:
    calls = sorted({call for version in versions for call in results[version]["offered"]})
    lines = [f"| call | {' | '.join(versions)} |", "|---" * (len(versions) + 1) + "|"]
    for call in calls:
        cells = [_cell(results[version], call) for version in versions]
        lines.append(f"| `{call}` | {' | '.join(cells)} |")
    return lines


def _cell(found: dict, call: str) -> str:
    if call not in found["offered"]:
        return "-"
    sync, coroutine = (found[kind].get(call, "not tried") for kind in ("sync", "async"))
    return sync if sync == coroutine else f"{sync}; async: {coroutine}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
