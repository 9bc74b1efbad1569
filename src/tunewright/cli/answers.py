"""The old models' answers, recorded while they still answer."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.cli.sources import OPENAI, FromOption, archive_of, asking
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    complain,
    notes,
    print_json,
    print_table,
    say,
)
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.imports import Answered, Archive, Estimate, Price

_ModelsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="OLD-MODEL", help="Tuned models at the source. Not given: all."),
]
_MaxUsdOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Never spend more than this, all runs together. Not given: nothing is asked, and "
        "an estimate of the cost is shown.",
    ),
]
_PerModelOption = Annotated[
    int, typer.Option(min=1, help="How many prompts each model is asked at most.")
]
_MaxTokensOption = Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")]
_PriceInOption = Annotated[
    float | None,
    typer.Option(min=0, help="USD per million tokens of prompts, for all models asked."),
]
_PriceOutOption = Annotated[
    float | None, typer.Option(min=0, help="USD per million tokens of answers.")
]


def answers(
    models: _ModelsArgument = None,
    max_usd: _MaxUsdOption = None,
    per_model: _PerModelOption = 200,
    max_tokens: _MaxTokensOption = 1024,
    price_in: _PriceInOption = None,
    price_out: _PriceOutOption = None,
    base_url: FromOption = OPENAI,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Record what the old models answer, to compare with later. This costs money; see --max-usd.

    Each model is asked the rows of its validation file (or, without one, a tenth of its training
    file, marked as seen) and the prompts of stored completions, at temperature 0. Run it again to
    continue; no prompt is asked twice.

    Example: tunewright import openai answers --max-usd 5
    """
    from tunewright.imports import estimates, spent

    archive = archive_of(base_url, home)
    found = estimates(
        archive,
        models or (),
        per_model=per_model,
        max_tokens=max_tokens,
        price=_price(price_in, price_out),
    )
    if not json:
        _print_estimates(archive, found)
    if max_usd is None or not found:
        if json:
            print_json({"estimates": [_wire(each) for each in found], "lines": []})
        elif found:
            say("Nothing was asked yet. Give the most that it may cost: --max-usd N")
        raise typer.Exit(0)
    lines = _asked(archive, found, base_url, max_usd, max_tokens)
    if json:
        print_json(
            {
                "estimates": [_wire(each) for each in found],
                "lines": [vars(line) for line in lines],
                "spent_usd": spent(archive),
            }
        )
    else:
        _report(lines, spent(archive), max_usd)
    raise typer.Exit(1 if any(line.state in ("failed", "over budget") for line in lines) else 0)


def _price(price_in: float | None, price_out: float | None) -> "Price | None":
    from tunewright.errors import BadRequest
    from tunewright.imports import Price

    if price_in is None and price_out is None:
        return None
    if price_in is None or price_out is None:
        raise BadRequest("Give both --price-in and --price-out, or neither.", param="price_in")
    return Price(price_in, price_out)


def _asked(
    archive: "Archive",
    found: "list[Estimate]",
    base_url: str,
    max_usd: float,
    max_tokens: int,
) -> "list[Answered]":
    from tunewright.imports import answers as record

    lines: list[Answered] = []
    usd = 0.0
    with asking(base_url) as source, notes.status("Asking") as status:
        for line in record(source, archive, found, max_usd=max_usd, max_tokens=max_tokens):
            lines.append(line)
            usd += line.usd
            status.update(f"Asking: {counted(len(lines), 'answer')}, ${usd:.4f}")
    return lines


def _print_estimates(archive: "Archive", found: "list[Estimate]") -> None:
    from tunewright.imports import price_source

    if not found:
        say(f"No tuned model is in {archive.root}. First: {archive.command('fetch')}")
        return
    print_table(
        ["model", ">prompts", ">seen", "from", ">to ask", ">$/M in", ">$/M out", ">about", ">most"],
        [
            (
                each.model,
                len(each.prompts),
                each.seen,
                _origins(each),
                len(each.to_ask),
                f"{each.price.read:.2f}" if each.price else "?",
                f"{each.price.written:.2f}" if each.price else "?",
                f"${each.about:.4f}" if each.price else "?",
                f"${each.at_most:.4f}" if each.price else "?",
            )
            for each in found
        ],
    )
    say(f"Prices: {price_source()}. If yours differ: --price-in, --price-out")


def _origins(each: "Estimate") -> str:
    counts = Counter(prompt.origin for prompt in each.prompts)
    return ", ".join(f"{count} {origin}" for origin, count in counts.items())


def _report(lines: "list[Answered]", spent: float, max_usd: float) -> None:
    counts: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        counts.setdefault((line.model, line.state), []).append(line.usd)
    rows = [(model, state, len(n), f"${sum(n):.4f}") for (model, state), n in counts.items()]
    print_table(["model", "state", ">answers", ">cost"], rows)
    told = [each for each in lines if each.message]
    for line in {(each.model, each.state, each.remedy): each for each in told}.values():
        complain(f"{line.state}: {line.model}: {line.message} {line.remedy}")
    say(f"Spent so far, all runs: ${spent:.4f} of ${max_usd:.4f}.")
    missing = sum(line.state in ("failed", "over budget") for line in lines)
    if missing:
        say(
            f"{missing:,} of {counted(len(lines), 'prompt')} got no answer: the reasons are above. "
            "Then run it again."
        )


def _wire(each: "Estimate") -> dict[str, Any]:
    return {
        "model": each.model,
        "prompts": len(each.prompts),
        "seen": each.seen,
        "to_ask": len(each.to_ask),
        "price": vars(each.price) if each.price else None,
        "about_usd": each.about if each.price else None,
        "at_most_usd": each.at_most if each.price else None,
    }
