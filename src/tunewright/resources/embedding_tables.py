"""A whole table embedded: the use case. `table_runs` does it, `table_plans` keeps how far it is."""

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tunewright import durable
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.distinct import Distinct, Found
from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, StorageFull, TokensExceeded
from tunewright.home import Home
from tunewright.records.models import Weights
from tunewright.records.tables import EmbeddedTable, TableProgress
from tunewright.resources.embedding_prompts import prompt_for
from tunewright.resources.models import Models
from tunewright.resources.table_plans import Partial, Plan, content, folder, opened
from tunewright.resources.table_runs import (
    CHARACTERS,
    EmbeddedRow,
    TableRun,
    TableText,
    stamp,
    texts_of,
)
from tunewright.stepwise import batches
from tunewright.tables.sources import open_source
from tunewright.tables.texts import Texts, missing
from tunewright.tables.writers import check_columns, check_output, left_out_beside, texts_beside
from tunewright.usage import Quota

MODEL = "text-embedding-ada-002"
MANY, FEW = 8192, 512  # rows of a batch: of an engine that takes many tokens at once, of others
_REMEMBERED = 1000  # outputs that were completed
Progressing = Generator[TableProgress, None, EmbeddedTable]


class EmbeddingTables:
    def __init__(
        self,
        models: Models,
        embedder: Callable[[Weights], Embedder],
        quota: Quota,
        home: Home,
        unknown_text: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        self._models = models
        self._embedder = embedder
        self._quota = quota
        self._home = home
        self.unknown_text = unknown_text

    def table(self, file: Path | str, output: Path | str, /, **given: Any) -> EmbeddedTable:
        """Embed a table into `output`, whose ending says how it is written (.parquet, .csv, .jsonl
        or .npy). `given`: as for `steps`; `say` hears of each `TableProgress`.

        Killed at any moment, the same call goes on where it was, and at the end the output is the
        same to the byte. Memory does not grow with the table, but for .json and .xlsx, which are
        held whole. Rows that are left out are listed in ``NAME.left_out.jsonl``.
        """
        say = given.pop("say", lambda _: None)
        steps = self.steps(file, output, **given)
        while True:
            try:
                say(next(steps))
            except StopIteration as end:
                return end.value

    def steps(
        self,
        file: Path | str,
        output: Path | str,
        *,
        column: str | None = None,
        template: str | None = None,
        model: str = MODEL,
        sheet: str | None = None,
        prompt_name: str | None = None,
        overwrite: bool = False,
    ) -> Progressing:
        """The same by steps, a batch of rows each; what is done when a step ends stays done.

        column: of the texts, or several with commas between (default: those of the template, or
        ``text``). template: how to put them together, ``{title}: {text}``. prompt_name: of the
        model's prompts, the one to put before each text. overwrite: replace the
        output, and drop what another plan has begun there.

        Raises BadRequest for a table, column or output that cannot be, and where the table, the
        model, the columns or the template are others than those that were begun; StorageFull, after
        which the same call goes on.
        """
        self._quota.admit(tokens=True)
        table, target = _absolute(file), _absolute(output)
        check_output(target)
        _check_two(table, target)
        texts, columns = _texts(table, sheet, column, template)
        check_columns(columns, target.suffix.lower(), combined=texts.combined)
        run = self._run(table, sheet, texts, model, prompt_name, target.suffix.lower())
        if done := self._complete(target, run.plan, overwrite=overwrite):
            return done
        try:
            with opened(target, run.plan, overwrite=overwrite) as partial:
                return (yield from self._go_on(run, partial))
        except StorageFull as full:
            raise StorageFull(
                f"{full.message} What was computed is kept: the same command goes on from there."
            ) from full

    def check(
        self,
        file: Path | str,
        output: Path | str,
        *,
        column: str | None,
        template: str | None,
        model: str,
        sheet: str | None,
        prompt_name: str | None,
        overwrite: bool,
    ) -> tuple[Path, Path]:
        """Both paths, absolute. Raises as `steps` does, as far as a look at the beginning shows."""
        table, target = _absolute(file), _absolute(output)
        check_output(target)
        _check_two(table, target)
        texts, columns = _texts(table, sheet, column, template)
        check_columns(columns, target.suffix.lower(), combined=texts.combined)
        weights = self._models.weights(model, ("embedding",))
        prompt_for(model, self._embedder(weights).declared, prompt_name)
        if target.exists() and not overwrite and not folder(target).is_dir():
            raise _exists(target)
        return table, target

    def rows(
        self,
        file: Path | str,
        *,
        column: str | None = None,
        template: str | None = None,
        model: str = MODEL,
        sheet: str | None = None,
        prompt_name: str | None = None,
    ) -> Iterator[EmbeddedRow]:
        """Each row of a table with its vector, as they are computed; nothing is kept. Raises as
        `steps` does."""
        self._quota.admit(tokens=True)
        table = _absolute(file)
        texts, _ = _texts(table, sheet, column, template)
        return self._run(table, sheet, texts, model, prompt_name, "").stream()

    def texts(
        self,
        file: Path | str,
        *,
        column: str | None = None,
        template: str | None = None,
        sheet: str | None = None,
    ) -> Iterator[TableText]:
        """What of each row would be embedded."""
        table = _absolute(file)
        content(table)
        texts, _ = _texts(table, sheet, column, template)
        return texts_of(open_source(table, sheet), texts)

    def embedded(
        self, texts: Sequence[str], model: str = MODEL, prompt_name: str | None = None
    ) -> Iterator[tuple[int, Found]]:
        """Texts of any length, batch by batch: the index of its first text, and what it gave."""
        weights = self._models.weights(model, ("embedding",))
        embedder = self._embedder(weights)
        prompt = prompt_for(model, embedder.declared, prompt_name)
        allow = self.unknown_text == "allow"
        distinct = Distinct(embedder, None, prompt, allow_unknown=allow)
        start = 0
        for batch in batches(texts, FEW * CHARACTERS, FEW):
            found = distinct.embed(batch)
            self._spend(found.tokens)
            yield start, found
            start += len(batch)

    def _run(
        self,
        table: Path,
        sheet: str | None,
        texts: Texts,
        model: str,
        prompt_name: str | None,
        ending: str,
    ) -> TableRun:
        weights = self._models.weights(model, ("embedding",))
        embedder = self._embedder(weights)
        chosen = Chosen.read(self._models.directory(weights))
        plan = Plan(
            sha256=content(table),
            sheet=sheet,
            columns=texts.columns,
            template=texts.template,
            model=weights.id,
            fingerprint=weights.base_fingerprint,
            precision=chosen.precision if chosen else "exact",
            prompt=prompt_for(model, embedder.declared, prompt_name),
            unknown=self.unknown_text,
            dimensions=embedder.dimensions,
            ending=ending,
            batch=MANY if embedder.batch_tokens >= MANY else FEW,
        )
        return TableRun(table, texts, plan, embedder, self._spend)

    def _spend(self, tokens: int) -> None:
        """Tokens that were used count like those of requests: where they come too fast, the table
        waits."""
        while True:
            try:
                self._quota.reserve(1)
                return self._quota.spend(tokens - 1)
            except TokensExceeded as error:
                time.sleep(min(1.0, error.retry_after or 1.0))

    def _go_on(self, run: TableRun, partial: Partial) -> Progressing:
        if not partial.ready.is_dir():
            try:
                yield from run.embed(partial)
            except BadRequest:
                if not partial.progress.rows:  # nothing is lost, and another command may follow
                    durable.remove(partial.path)
                raise
            yield from run.write(partial)
        aside = left_out_beside(partial.output)
        done = EmbeddedTable(
            output=str(partial.output),
            model=run.plan.model,
            fingerprint=run.plan.fingerprint,
            dimensions=run.plan.dimensions,
            left_out_file=str(left_out_beside(partial.output))
            if partial.progress.left_out
            else None,
            **partial.progress.model_dump(include=_COUNTS),
        )
        partial.publish([texts_beside(partial.output), aside])
        self._remember(run.plan, done)
        durable.remove(partial.path)
        return done

    def _complete(self, target: Path, plan: Plan, *, overwrite: bool) -> EmbeddedTable | None:
        """What this very plan has written here before. Raises BadRequest for any other file."""
        if overwrite:
            return None
        ready = folder(target) / "ready"
        for path in (target, *([texts_beside(target)] if target.suffix.lower() == ".npy" else [])):
            if not path.exists() or (ready.is_dir() and not (ready / path.name).exists()):
                continue  # what was about to be published when the process was killed
            done = self._remembered(target, plan)
            if done is None:
                raise _exists(path)
            return done
        return None

    def _remember(self, plan: Plan, done: EmbeddedTable) -> None:
        path = Path(done.output)
        durable.write_json(
            self._record(path),
            {"plan": plan.digest, "file": stamp(path), "table": done.wire()},
        )
        kept = sorted(
            self._record(path).parent.glob("*.json"), key=lambda each: each.stat().st_mtime
        )
        for old in kept[:-_REMEMBERED]:
            durable.remove(old)

    def _remembered(self, target: Path, plan: Plan) -> EmbeddedTable | None:
        record = self._record(target)
        said = durable.read_json(record) if record.is_file() and target.is_file() else {}
        if said.get("plan") != plan.digest or said.get("file") != stamp(target):
            return None
        return EmbeddedTable.model_validate(said["table"]).model_copy(update={"before": True})

    def _record(self, output: Path) -> Path:
        name = hashlib.sha256(str(output).encode()).hexdigest()[:32]
        return self._home.embeddings / "written" / f"{name}.json"


_COUNTS = {"rows", "embedded", "left_out", "computed", "tokens", "unknown", "chunked", "truncated"}


def _check_two(table: Path, target: Path) -> None:
    if target.exists() and table.exists() and target.samefile(table):
        raise BadRequest(f"{target} is the table itself. Name another output.", param="output")


def _exists(path: Path) -> BadRequest:
    return BadRequest(
        f"{path} exists already. Name another output, or replace it with --overwrite "
        "(overwrite=True).",
        param="output",
        code="output_exists",
    )


def _absolute(path: Path | str) -> Path:
    return Path(path).expanduser().absolute()


def _texts(
    table: Path, sheet: str | None, column: str | None, template: str | None
) -> tuple[Texts, Sequence[str]]:
    """And the columns that are known. Raises BadRequest where no row of the table has one that is
    asked for."""
    source = open_source(table, sheet)
    texts = Texts.read(column, template, source.columns)
    known = dict.fromkeys(source.columns or ())
    if source.columns is None:
        wanted = set(texts.columns)
        for row in source.rows:
            wanted -= (row.values or {}).keys()
            known |= dict.fromkeys(row.values or {})
            if not wanted:
                break
        if wanted and known:
            name = next(name for name in texts.columns if name in wanted)
            raise BadRequest(missing(name, list(known)), param="column")
    return texts, list(known)
