"""A table made into training data: every row is written or refused with its line and a reason."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tunewright.dataset.columns import Columns, Refused, asked, text_of
from tunewright.dataset.problems import shown
from tunewright.dataset.sources import Source, SourceRow, open_source
from tunewright.dataset.splitting import held_out
from tunewright.durable import Upload
from tunewright.errors import BadRequest


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


@dataclass
class Prepared:
    """``rows == trained + held_out + sum(refused.values())``; `refused` counts by reason.

    `validation` and `refusals` are None where there was nothing to write there; `without`: values
    of the column by which was stratified that are too rare to be held out.
    """

    out: Path
    validation: Path | None = None
    refusals: Path | None = None
    rows: int = 0
    trained: int = 0
    held_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    without: list[str] = field(default_factory=list)


def prepare(
    path: Path,
    out: Path,
    columns: Columns,
    split: Split | None = None,
    sheet: str | None = None,
) -> Prepared:
    """Write `out`; with a split, the held-out rows to ``NAME.validation.jsonl`` beside it; and what
    was refused, line and reason, to ``NAME.refused.jsonl``.

    Files appear whole or not at all. A split reads the table twice and takes some 200 bytes of
    memory a row. Raises BadRequest where a file exists already, a column is not there or no row is
    fit, and what `open_source` raises.
    """
    done = Prepared(out)
    targets = [out, _beside(out, "validation"), _beside(out, "refused")]
    for target in targets:
        if target.exists():
            raise BadRequest(f"{target} exists already. Nothing is overwritten: name another file.")
    chosen = _chosen(path, sheet, columns, split, done) if split else itertools.repeat(False)
    with ExitStack() as stack:
        files = [stack.enter_context(Upload(target)) for target in targets]
        _write(_examples(_opened(path, sheet, columns, split), columns), chosen, files, done)
        _conclude(files, done)
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
    source: Source, columns: Columns
) -> Iterator[tuple[SourceRow, dict[str, Any] | None, str]]:
    """Each row of the table with the example made of it, or why there is none."""
    for row in source.rows:
        if row.values is None:
            yield row, None, row.fault
            continue
        try:
            example = columns.example(row.values)
            orjson.dumps(example)
        except Refused as error:
            yield row, None, str(error)
        except TypeError:  # lone surrogates: bytes that are not UTF-8
            yield row, None, "The row is not UTF-8 text. Save the file as UTF-8."
        else:
            yield row, example, ""


def _chosen(
    path: Path, sheet: str | None, columns: Columns, split: Split, done: Prepared
) -> Iterator[bool]:
    strata, groups, known = list[str](), list[int](), split.stratify is None
    for row, example, _ in _examples(_opened(path, sheet, columns, split), columns):
        if example is not None and row.values is not None:
            strata.append(text_of(row.values.get(split.stratify or "")) or "")
            known = known or split.stratify in row.values
            groups.append(_digest(asked(example)))
    if strata and not known:
        raise BadRequest(f"No row of {path.name} has a column {shown(split.stratify or '')}.")
    chosen, without = held_out(strata, groups, split.share, split.seed)
    done.without = without if split.stratify else []
    return iter(chosen)


def _digest(value: Any) -> int:
    dumped = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.blake2b(dumped, digest_size=8).digest())


def _write(
    examples: Iterator[tuple[SourceRow, dict[str, Any] | None, str]],
    chosen: Iterator[bool],
    files: list[Upload],
    done: Prepared,
) -> None:
    train, validation, refused = files
    for row, example, reason in examples:
        done.rows += 1
        if example is None:
            done.refused[reason] += 1
            refused.write(orjson.dumps({"line": row.line, "reason": reason}) + b"\n")
        elif next(chosen):
            done.held_out += 1
            validation.write(orjson.dumps(example) + b"\n")
        else:
            done.trained += 1
            train.write(orjson.dumps(example) + b"\n")


def _conclude(files: list[Upload], done: Prepared) -> None:
    train, validation, refused = files
    if not done.trained:
        why = f" Mostly: {done.refused.most_common(1)[0][0]}" if done.refused else ""
        raise BadRequest(f"No row of {done.rows:,} became a row to train on.{why}")
    if done.refused:
        refused.commit()
        done.refusals = refused.target
    if done.held_out:
        validation.commit()
        done.validation = validation.target
    train.commit()
