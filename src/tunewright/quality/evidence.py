"""How a judgement is said: one finding a kind, with the lines that show it."""

from collections.abc import Sequence

from tunewright.records.findings import Finding, Severity

_KEPT = 1_000  # lines of evidence; `count` has them all
_EXCERPT = 160


def found(
    code: str,
    message: str,
    remedy: str,
    lines: Sequence[int] = (),
    *,
    severity: Severity = "advice",
    excerpt: str = "",
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        message=message,
        remedy=remedy,
        excerpt=excerpt[:_EXCERPT],
        lines=tuple(lines[:_KEPT]),
        count=len(lines),
    )


def share(part: int, whole: int) -> str:
    """``3 of 60 rows (5 %)``"""
    return f"{part:,} of {whole:,} rows ({part / max(whole, 1):.0%})".replace("%", " %")


def some(texts: Sequence[str], most: int = 3) -> str:
    return "; ".join(texts[:most]) + ("; ..." if len(texts) > most else "")
