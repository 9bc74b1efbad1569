"""A check as one HTML page that needs nothing else: no script, no font, no network."""

from pathlib import Path

from jinja2 import Environment, select_autoescape

from tunewright.records.checks import Distribution, FileCheck, Histogram
from tunewright.records.findings import NAMED_LINES

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_WIDTH, _HEIGHT, _BASE = 320, 118, 100  # of a picture, and where its bars stand
_LABELS = 5  # below a picture, at most


def page(found: list[FileCheck]) -> str:
    """Everything in it that comes from a file is escaped."""
    environment = Environment(autoescape=select_autoescape(default_for_string=True, default=True))
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    picture = {
        "shown": NAMED_LINES,
        "width": _WIDTH,
        "height": _HEIGHT,
        "base": _BASE,
        "bars": _bars,
    }
    return template.render(found=found, spreads=_spreads, **picture)


def _spreads(found: FileCheck) -> list[tuple[str, Distribution]]:
    spreads = [
        ("Messages", found.messages),
        ("Tokens", found.tokens),
        ("Supervised tokens", found.supervised_tokens),
    ]
    if counted := found.openai:
        spreads.append((f"Tokens as OpenAI counts ({counted.encoding})", counted.tokens))
        spreads.append(("Tokens of answers as OpenAI counts", counted.assistant_tokens))
    return [(name, spread) for name, spread in spreads if spread.total]


def _bars(histogram: Histogram) -> list[dict[str, object]]:
    """Place and size of each bar, its label, and what it says when it is pointed at. `open`: it
    holds all that is far beyond the others."""
    edges, most, number = histogram.edges, max(histogram.counts), len(histogram.counts)
    wide, every = _WIDTH / number, -(-number // _LABELS)
    return [
        {
            "x": round(at * wide + 1, 1),
            "y": round(_BASE - tall, 1),
            "width": round(wide - 2, 1),
            "height": round(tall, 1),
            "open": high - low > edges[1] - edges[0],
            "label": f"{low:,}" if at == 0 or (at % every == 0 and at < number - 2) else "",
            "said": f"{low:,}{f' to {high - 1:,}' if high - low > 1 else ''}: {count:,}",
        }
        for at, (low, high, count) in enumerate(
            zip(edges, edges[1:], histogram.counts, strict=False)
        )
        for tall in [max(count / most * (_BASE - 8), 1 if count else 0)]
    ]
