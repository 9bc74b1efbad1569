"""A predictor: a classifier or a regression as arrays and facts, which numpy alone applies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.classification import Classification
from tunewright.analysis.classifiers import Classifier, Linear, Neighbours, softmax
from tunewright.analysis.neighbours import Vectors
from tunewright.analysis.regression import Regression

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]
CLASSES, NUMBER = "classes", "number"


@dataclass(frozen=True)
class Predictor:
    """`labels`: of the classes, empty where a number is predicted; `temperature`: what scores are
    divided by before their softmax; `dimensions`: of the vectors that it takes."""

    model: Classifier
    labels: tuple[str, ...]
    temperature: float
    dimensions: int

    @classmethod
    def of(cls, found: Classification | Regression, dimensions: int) -> "Predictor":
        if isinstance(found, Regression):
            return cls(found.model, (), 1.0, dimensions)
        return cls(found.model, found.labels, found.temperature, dimensions)

    @property
    def kind(self) -> str:
        return CLASSES if self.labels else NUMBER

    def confidence(self, vectors: Vectors) -> Floats:
        """In each class [n, c]."""
        return softmax(self._scores(vectors) / self.temperature)

    def numbers(self, vectors: Vectors) -> Floats:
        """[n]"""
        return self._scores(vectors)[:, 0]

    def _scores(self, vectors: Vectors) -> Floats:
        """Raises ValueError for vectors of other dimensions, and for NaN."""
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise ValueError(
                f"The predictor takes vectors of {self.dimensions} dimensions; these are of shape "
                f"{list(vectors.shape)}."
            )
        if not np.isfinite(vectors).all():
            raise ValueError("A vector holds NaN or infinity.")
        return self.model.scores(vectors)

    def arrays(self) -> Arrays:
        """What `restored` makes the same predictor of, with `facts`."""
        if isinstance(self.model, Linear):
            return {"weights": self.model.weights, "bias": self.model.bias}
        assert isinstance(self.model, Neighbours)
        return {"vectors": self.model.vectors, "of": self.model.of, "shares": self.model.shares}

    def facts(self) -> dict[str, Any]:
        k = self.model.k if isinstance(self.model, Neighbours) else None
        return {
            "labels": list(self.labels),
            "temperature": self.temperature,
            "dimensions": self.dimensions,
            "neighbours": k,
        }


def restored(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Predictor:
    """Raises ValueError or KeyError where they are not what `Predictor` gave."""
    labels, dimensions = tuple(map(str, facts["labels"])), int(facts["dimensions"])
    outputs = max(len(labels), 1)
    if facts["neighbours"] is None:
        model: Classifier = Linear(arrays["weights"], arrays["bias"])
        shapes = {"weights": (outputs, dimensions), "bias": (outputs,)}
    else:
        rows = len(arrays["of"])
        model = Neighbours(
            arrays["vectors"], arrays["of"], arrays["shares"], int(facts["neighbours"])
        )
        shapes = {"vectors": (rows, dimensions), "of": (rows,), "shares": (outputs,)}
        if rows < 1 or arrays["of"].min() < 0 or arrays["of"].max() >= outputs:
            raise ValueError("of: a class that there is not")
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name}: not of shape {list(shape)}, or not finite")
    return Predictor(model, labels, float(facts["temperature"]), dimensions)
