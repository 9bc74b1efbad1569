"""A check as a page."""

from tunewright.pages.parts import rendered
from tunewright.records.checks import Distribution, FileCheck


def page(found: list[FileCheck]) -> str:
    """Everything in it that comes from a file is escaped."""
    return rendered("check.html.jinja", found=found, spreads=_spreads)


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
