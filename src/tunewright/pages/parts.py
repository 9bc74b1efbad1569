"""What every report is made of: one style, one policy, and pictures that need no script."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from tunewright.records.checks import Histogram
from tunewright.records.findings import NAMED_LINES

_WIDTH, _HEIGHT, _BASE = 320, 118, 100  # of a picture, and where its bars stand
_LABELS = 5  # below a picture, at most


def rendered(
    template: str, *, styles: tuple[str, ...] = (), script: str = "", **values: Any
) -> str:
    """One HTML page that needs nothing else: no font, no network, no script but `script`.

    styles: files beside this one, added to the style of all reports. The page's policy names both
    by their hashes, so a browser runs and applies nothing else, whatever a table holds: no
    attribute `style` either. Everything in `values` is escaped.
    """
    style = "".join(_read(name) for name in ("style.css", *styles))
    page = {"style": Markup(style), "script": Markup(script), "policy": _policy(style, script)}
    picture = {"width": _WIDTH, "height": _HEIGHT, "base": _BASE, "bars": _bars}
    shown = {"shown": NAMED_LINES}  # of a finding, before the others are folded
    return _environment().get_template(template).render(**page, **picture, **shown, **values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tunewright", "pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _read(name: str) -> str:
    return files("tunewright.pages").joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    rules = ["default-src 'none'", "base-uri 'none'", "form-action 'none'"]
    rules += [f"style-src {_hashed(style)}", *([f"script-src {_hashed(script)}"] if script else [])]
    return "; ".join(rules)


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


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
