"""A table with a vector of each row, and what can be found out of it: one method a use."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.analysis.nearest import Metric
from tunewright.analysis.recommending import Recommendation
from tunewright.analysis.search import Hit
from tunewright.analysis.search import Method as SearchMethod
from tunewright.resources.explored_table import ExploredTable, working
from tunewright.resources.whole_tables import Progress, quiet

if TYPE_CHECKING:
    from tunewright.analysis.anomalies import Anomalies, Method
    from tunewright.analysis.bm25 import WordIndex
    from tunewright.analysis.classification import Classification
    from tunewright.analysis.clusters import Clusters
    from tunewright.analysis.diversity import Diversity
    from tunewright.analysis.duplicates import Groups
    from tunewright.analysis.hit_rates import HitRates
    from tunewright.analysis.interactions import Interactions, Suggestion
    from tunewright.analysis.maps import Map
    from tunewright.analysis.regression import Regression
    from tunewright.analysis.search_quality import SearchQuality
    from tunewright.analysis.two_tables import Comparison, Coverage
    from tunewright.analysis.zero_shot import ZeroShot
    from tunewright.resources.predictors import Predictions, SavedPredictor

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Explored(ExploredTable):
    """Rows are named by their places, from 0, in all that the methods give. Each method computes
    by one thread, with a fixed seed: the same table gives the same result anywhere. Raises
    BadRequest for what cannot be found out of this table, and MissingExtra."""

    _groups: "dict[float | None, Groups]" = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _words: "list[WordIndex]" = field(default_factory=list, init=False, repr=False, compare=False)
    _grouping: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def search(
        self,
        query: str,
        *,
        top: int = 10,
        method: SearchMethod = "hybrid",
        metric: Metric = "cosine",
        where: Mapping[str, Any] | None = None,
        variety: float = 0.0,
        progress: Progress = quiet,
    ) -> list[Hit]:
        """The rows that answer a query best: by meaning and words together (`hybrid`; `rrf`, by
        reciprocal rank fusion), by `vectors`, or by `words` (BM25).

        where: a filter on columns, as OpenAI writes it: only rows that match. variety: 0 to 1; the
        more, the less alike the rows are. Rows of equal score are in the table's order.
        """
        from tunewright.analysis.search import search

        vector = None if method == "words" else self.embedded([query])[0]
        mask = self.mask(where)
        with working("Searching by words"):
            words = None if method == "vectors" else self._words_of_texts(progress)
            return search(
                self.vectors,
                words,
                vector,
                query,
                top,
                method=method,
                metric=metric,
                mask=mask,
                variety=variety,
            )

    def _words_of_texts(self, progress: Progress) -> "WordIndex":
        """Made once: of 100,000 reviews in some ten seconds."""
        from tunewright.analysis.bm25 import WordIndex

        if not self._words:
            self._words.append(WordIndex(self.texts, progress))
        return self._words[0]

    def search_quality(
        self,
        queries: Mapping[str, Mapping[int, float]],
        *,
        top: int = 10,
        method: SearchMethod = "hybrid",
        metric: Metric = "cosine",
        seed: int = 0,
    ) -> "SearchQuality":
        """How good `search` is: recall, MRR and nDCG at `top`, with intervals. queries: of each
        query, which rows are relevant, and how much (above 0)."""
        from tunewright.analysis.search_quality import search_quality

        found = [self.search(query, top=top, method=method, metric=metric) for query in queries]
        rows = [[hit.row for hit in hits] for hits in found]
        with working("Measuring a search"):
            return search_quality(rows, list(queries.values()), top, seed=seed)

    def similar(
        self,
        row: int,
        *,
        top: int = 10,
        metric: Metric = "cosine",
        where: Mapping[str, Any] | None = None,
        variety: float = 0.0,
    ) -> list[Recommendation]:
        """The rows most like one of the table, without itself."""
        from tunewright.analysis.recommending import like

        mask = self.mask(where)
        with working("Comparing rows"):
            return like(self.vectors, row, top, metric=metric, mask=mask, variety=variety)

    def recommend(
        self,
        liked: Sequence[int],
        disliked: Sequence[int] = (),
        *,
        top: int = 10,
        where: Mapping[str, Any] | None = None,
        variety: float = 0.0,
    ) -> list[Recommendation]:
        """Rows like those that are liked and unlike those that are disliked, none of either."""
        from tunewright.analysis.recommending import recommend

        mask = self.mask(where)
        with working("Recommending"):
            return recommend(
                self.vectors, liked, top, disliked=disliked, mask=mask, variety=variety
            )

    def recommend_for(
        self, user: str, *, top: int = 10, variety: float = 0.0
    ) -> list["Suggestion"]:
        """Items for a user, by the columns `user`, `item` and, as a rating, `number`; none that the
        user had."""
        from tunewright.analysis.interactions import suggest

        with working("Recommending"):
            return suggest(self.vectors, self.interactions, user, top, variety=variety)

    def hit_rates(self, *, top: int = 10, seed: int = 0, progress: Progress = quiet) -> "HitRates":
        """How often `recommend_for` finds an item that a user liked and that was taken away,
        against the most popular items and chance."""
        from tunewright.analysis.hit_rates import hit_rates

        with working("Measuring recommendations"):
            return hit_rates(self.vectors, self.interactions, top, seed=seed, progress=progress)

    @cached_property
    def interactions(self) -> "Interactions":
        """Who had what, and how it was rated."""
        from tunewright.analysis.interactions import interactions

        ratings = None
        if self.number is not None:
            found = self.numbers()
            ratings = [None if math.isnan(each) else each for each in found.tolist()]
        users = self.labels(self._asked(None, "user"))
        items = self.labels(self._asked(None, "item"))
        with working("Recommending"):
            return interactions(users, items, ratings)

    def clusters(
        self,
        *,
        k: int | None = None,
        method: Literal["k-means", "hdbscan"] = "k-means",
        seed: int = 0,
        progress: Callable[[float], None] = lambda _: None,
    ) -> "Clusters":
        """Rows that are alike, in groups with names (`analysis.clusters`). k: how many, for
        k-means; None: the number with the best silhouette."""
        with working("Finding clusters"):
            from tunewright.analysis.clusters import clusters

            return clusters(
                self.vectors, self.texts, k=k, method=method, seed=seed, progress=progress
            )

    def map(
        self,
        *,
        method: Literal["t-sne", "pca"] = "t-sne",
        seed: int = 0,
        progress: Callable[[float], None] = lambda _: None,
    ) -> "Map":
        """Every row in the plane, near the rows that are like it (`analysis.maps`)."""
        with working("A map"):
            from tunewright.analysis.maps import mapped

            return mapped(self.vectors, method=method, seed=seed, progress=progress)

    def report(self, output: Path | str | None = None, *, progress: Progress = quiet) -> str:
        """One HTML page of all that this table's columns allow, which needs nothing else; written
        to `output` as well. Parts that there are too few rows for are named in it, with the reason.
        The same table, model and versions give the same bytes. Raises BadRequest for an output that
        cannot be written, before anything is computed."""
        from tunewright.pages.explore import page
        from tunewright.resources.explore_report import check_report, explore

        if output is not None:
            check_report(Path(output))
        with working("The report"):
            html = page(explore(self, self.command("report", output="report.html"), progress))
        if output is not None:
            durable.write_bytes(Path(output).absolute(), html.encode())
        return html

    def near_duplicates(
        self, *, threshold: float | None = None, progress: Progress = quiet
    ) -> "Groups":
        """The rows that say the same, in groups: by their words, or by a cosine of `threshold` and
        more (`resources.near_duplicates`)."""
        from tunewright.resources.near_duplicates import near_duplicates

        with self._grouping, working("Finding near-duplicates"):  # once, for whoever needs them
            if threshold not in self._groups:
                found = near_duplicates(self.texts, self.vectors, threshold, progress)
                self._groups[threshold] = found
        return self._groups[threshold]

    def anomalies(
        self, *, share: float = 0.01, method: "Method" = "knn", progress: Progress = quiet
    ) -> "Anomalies":
        """The `share` of the rows that lies farthest from all others ("knn"), or is far for where
        it lies ("lof"), each with the reason. Near-duplicates count as one row."""
        from tunewright.analysis.anomalies import anomalies

        groups = self.near_duplicates(progress=lambda done: progress(done / 2))
        with working("Finding anomalies"):
            return anomalies(
                self.vectors,
                share=share,
                method=method,
                groups=groups,
                progress=lambda done: progress((1 + done) / 2),
            )

    def diversity(
        self, *, threshold: float | None = None, progress: Progress = quiet
    ) -> "Diversity":
        """How varied the rows are, with their near-duplicates."""
        from tunewright.analysis.diversity import diversity

        groups = self.near_duplicates(threshold=threshold, progress=progress)
        with working("Measuring diversity"):
            return diversity(self.vectors, groups=groups, threshold=threshold)

    def coverage(self, reference: "Explored", *, progress: Progress = quiet) -> "Coverage":
        """Which share of another table's rows has a row of this one near, and where the holes are.
        Raises BadRequest for a table of another embedding model."""
        from tunewright.analysis.two_tables import coverage

        self._same_model(reference)
        groups = reference.near_duplicates(progress=lambda done: progress(done / 2))
        with working("Measuring coverage"):
            return coverage(
                self.vectors,
                reference.vectors,
                groups=groups,
                progress=lambda done: progress((1 + done) / 2),
            )

    def compare(self, other: "Explored", *, progress: Progress = quiet) -> "Comparison":
        """Which of two tables is more varied, and whether their texts differ by more than chance.
        Raises BadRequest for a table of another embedding model."""
        from tunewright.analysis.two_tables import comparison

        self._same_model(other)
        with working("Comparing tables"):
            return comparison(self.vectors, other.vectors, progress=progress)

    def classify(
        self,
        label: str | None = None,
        *,
        method: Literal["logistic regression", "nearest neighbours"] = "logistic regression",
        seed: int = 0,
        progress: Progress = quiet,
    ) -> "Classification":
        """How well the labels of a column follow from the texts, what rows without one are, which
        are likely wrong, and whether more would help: see `analysis.classification.classify`.

        label: a column, or two classes of a number: ``Score >= 4 against <= 2``. Raises BadRequest
        for labels that are no classes."""
        from tunewright.resources.classifying import classify

        with working("Classification"):
            return classify(self, self._asked(label, "label"), method, seed, progress)

    def regress(
        self, number: str | None = None, *, seed: int = 0, progress: Progress = quiet
    ) -> "Regression":
        """How well a number follows from the texts: see `analysis.regression.regress`."""
        from tunewright.analysis.regression import regress

        name = self._asked(number, "number")
        with working("Regression"):
            return regress(
                self.vectors, self.numbers(name), column=name, seed=seed, progress=progress
            )

    def zero_shot(
        self,
        labels: Sequence[str] | Mapping[str, str],
        *,
        templates: Sequence[str] | None = None,
        label: str | None = None,
        seed: int = 0,
    ) -> "ZeroShot":
        """Each row's label, of these, without learning: the one whose text is most similar.

        labels: their names, or names with the texts that are embedded for them. templates: what the
        texts are put into, at ``{}``. label: a column with labels (or a rule, as for `classify`)
        to judge by."""
        from tunewright.resources.classifying import texts_of_labels, zero_shot

        with working("Classification"):
            return zero_shot(self, texts_of_labels(labels), templates, label, seed)

    def predict(self, predictor: "SavedPredictor | Path | str") -> "Predictions":
        """Labels or numbers of the rows by what `save_predictor` wrote. Raises BadRequest where
        that learned from vectors of another embedding model."""
        from tunewright.resources.classifying import predict

        with working("Prediction"):
            return predict(self, predictor)

    def save_predictor(
        self,
        found: "Classification | Regression",
        output: Path | str,
        *,
        predicts: str,
        overwrite: bool = False,
    ) -> "SavedPredictor":
        """What `classify` or `regress` learned, as one .safetensors file for `predict`. predicts:
        the column. Raises BadRequest for an output that cannot be written, and where nobody knows
        which model made the vectors."""
        from tunewright.resources.classifying import save_predictor

        return save_predictor(self, found, Path(output), predicts, overwrite=overwrite)
