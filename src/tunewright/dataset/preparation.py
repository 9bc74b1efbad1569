"""A table made into training data: every row is written or refused with its line and a reason."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from tunewright import suggestions
from tunewright.dataset.checks import Check, look_at
from tunewright.dataset.columns import Columns, asked
from tunewright.dataset.splitting import held_out
from tunewright.durable import Upload
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer
from tunewright.tables.cells import text_of
from tunewright.tables.problems import Refused, shown
from tunewright.tables.sources import Source, SourceRow, open_source
from tunewright.wording import counted, of, some

NOT_TEXT = "The row is not UTF-8 text."


@dataclass(frozen=True)
class Split:
    """`share` of the rows is held out, drawn with `seed`, in proportion for each value of the
    column `stratify`."""

    share: float
    stratify: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            what = f"The validation share is {self.share:g}; it must lie between 0 and 1."
            raise BadRequest(what, param="validation_share")


@dataclass(frozen=True)
class Base:
    """What is to be tuned: rows that the check refuses for it are refused here.

    `cut`: the setting long_examples is so. Where a row is too long, nothing is written, unless
    `drop_long`: then it is refused like others.
    """

    renderer: Renderer
    cut: bool = False
    drop_long: bool = False


@dataclass
class Prepared:
    """``rows == trained + held_out + sum(refused.values())``; `refused` counts by reason.

    `validation` and `refusals` are None where there was nothing to write there; `without`: values
    of the column by which was stratified that are too rare to be held out; `left_out`: the keys of
    recognised rows that are not among what is written, with how many rows had them; `long`: the
    lines that are too long for the base.
    """

    out: Path
    validation: Path | None = None
    refusals: Path | None = None
    rows: int = 0
    trained: int = 0
    held_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    without: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    long: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Made:
    """What became of a row of the table: its `example`, and that as JSON; or `reason`, why not."""

    row: SourceRow
    example: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    reason: str = ""
    left_out: frozenset[str] = frozenset()
    long: bool = False


def prepare(
    path: Path,
    out: Path,
    columns: Columns,
    split: Split | None = None,
    sheet: str | None = None,
    base: Base | None = None,
) -> Prepared:
    """Write `out`; with a split, the held-out rows to ``NAME.validation.jsonl`` beside it; and what
    was refused, line and reason, to ``NAME.refused.jsonl``. The check of what is written finds no
    row that is bad for `base`; without one, none whose form is.

    Files appear whole or not at all. A split reads the table twice and takes some 200 bytes of
    memory a row. Raises BadRequest where a file exists already, a column is not there, a row is too
    long (`param` is then ``drop_long``) or no row is fit, and what `open_source` raises.
    """
    done = Prepared(out)
    targets = [out, _beside(out, "validation"), _beside(out, "refused")]
    for target in targets:
        if target.exists():
            raise BadRequest(f"{target} exists already. Nothing is overwritten: name another file.")

    @cache
    def not_text() -> str:
        return f"{NOT_TEXT} {suggestions.recoded(path)}"

    def examples() -> Iterator[_Made]:
        return _examples(_opened(path, sheet, columns, split), columns, base, not_text)

    chosen = _chosen(path, examples(), split, done) if split else itertools.repeat(False)
    with ExitStack() as stack:
        files = [stack.enter_context(Upload(target)) for target in targets]
        _write(examples(), chosen, files, done)
        _conclude(files, done, base)
    return done


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.{what}.jsonl")


def _opened(path: Path, sheet: str | None, columns: Columns, split: Split | None) -> Source:
    source = open_source(path, sheet)
    by = split.stratify if split else None
    for name in [*columns.names, *([by] if by else [])]:
        if source.columns is not None and name not in source.columns:
            known = ", ".join(source.columns)
            raise BadRequest(f"{path.name} has no column {shown(name)}. It has: {known}.")
    return source


def _examples(
    source: Source, columns: Columns, base: Base | None, not_text: Callable[[], str]
) -> Iterator[_Made]:
    """Each row of the table with the example made of it, or why there is none."""
    for row in source.rows:
        if row.values is None:
            yield _Made(row, reason=row.fault)
            continue
        try:
            example, left = columns.example(row.values)
            raw = orjson.dumps(example)
        except Refused as error:
            yield _Made(row, reason=str(error))
        except (TypeError, RecursionError):  # lone surrogates; or lists without end
            yield _Made(row, reason=not_text())
        else:
            found = look_at(
                raw, base and base.renderer, wants=columns.to, cut=bool(base and base.cut)
            )
            reason, long = _reason(found), set(found.counts) == {"too_long"}
            yield _Made(row, example, raw, reason, frozenset(left), long)


def _reason(found: Check) -> str:
    """Why the check refuses a row; empty where it does not."""
    for problem in found.problems:
        remedy = "" if problem.code == "too_long" else problem.remedy
        where = "" if problem.path == "$" else f" ({problem.path})"
        return f"{problem.message} {remedy}".rstrip() + where
    if found.bad or found.blank:
        return "The row has no form that can be used for training."
    return "The row has no answer to train on." if "nothing_to_learn" in found.notices else ""


def _chosen(path: Path, examples: Iterator[_Made], split: Split, done: Prepared) -> Iterator[bool]:
    strata, groups, known = list[str](), list[int](), split.stratify is None
    for made in examples:
        if not made.reason and made.row.values is not None:
            strata.append(text_of(made.row.values.get(split.stratify or "")) or "")
            known = known or split.stratify in made.row.values
            groups.append(_digest(asked(made.example)))
    if strata and not known:
        raise BadRequest(f"No row of {path.name} has a column {shown(split.stratify or '')}.")
    chosen, without = held_out(strata, groups, split.share, split.seed)
    done.without = without if split.stratify else []
    return iter(chosen)


def _digest(value: Any) -> int:
    dumped = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.blake2b(dumped, digest_size=8).digest())


def _write(
    examples: Iterator[_Made], chosen: Iterator[bool], files: list[Upload], done: Prepared
) -> None:
    train, validation, refused = files
    for made in examples:
        done.rows += 1
        if made.reason:
            done.refused[made.reason] += 1
            line = {"line": made.row.line, "reason": made.reason}
            refused.write(orjson.dumps(line) + b"\n")
            if made.long:
                done.long.append(made.row.line)
            continue
        done.left_out.update(made.left_out)
        if next(chosen):
            done.held_out += 1
            validation.write(made.raw + b"\n")
        else:
            done.trained += 1
            train.write(made.raw + b"\n")


def _conclude(files: list[Upload], done: Prepared, base: Base | None) -> None:
    train, validation, refused = files
    if done.long and base and not base.drop_long:
        raise _too_long(done, base)
    if not done.trained:
        why = f" Mostly: {done.refused.most_common(1)[0][0]}" if done.refused else ""
        raise BadRequest(f"None of {counted(done.rows, 'row')} can be used for training.{why}")
    if done.refused:
        refused.commit()
        done.refusals = refused.target
    if done.held_out:
        validation.commit()
        done.validation = validation.target
    train.commit()


def _too_long(done: Prepared, base: Base) -> BadRequest:
    lines = f"{of(len(done.long), 'line')} {some(done.long)}"
    return BadRequest(
        f"{counted(len(done.long), 'row')} {of(len(done.long), 'is')} longer than the "
        f"{base.renderer.context:,} tokens that the model reads ({lines}). Nothing was written. "
        "Leave them out with --drop-long, or shorten them.",
        param="drop_long",
    )
