"""What every report is made of: one style, and pictures that need no script."""

from typing import Any

from jinja2 import Environment, PackageLoader

from tunewright.records.checks import Histogram
from tunewright.records.findings import NAMED_LINES

_WIDTH, _HEIGHT, _BASE = 320, 118, 100  # of a picture, and where its bars stand
_LABELS = 5  # below a picture, at most


def rendered(template: str, **values: Any) -> str:
    """One HTML page that needs nothing else: no script, no font, no network. Everything in
    `values` is escaped."""
    environment = Environment(loader=PackageLoader("tunewright", "pages"), autoescape=True)
    picture = {"width": _WIDTH, "height": _HEIGHT, "base": _BASE, "bars": _bars}
    shown = {"shown": NAMED_LINES}  # of a finding, before the others are folded
    return environment.get_template(template).render(**picture, **shown, **values)


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
