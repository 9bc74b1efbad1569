"""The part of a filter that a database evaluates."""

from collections.abc import Callable

from tunewright.vectors.filters import EVERY, Comparison, Filter, joined


def weaker(tree: Filter, expresses: Callable[[Comparison], bool]) -> Filter:
    """A filter of comparisons that are expressed only, which matches every row that `tree` does,
    and more unless it is equal to `tree`: a comparison that is not expressed counts as true.

    There is no negation in a tree, so what is weaker in one of its parts is weaker as a whole.
    """
    if isinstance(tree, Comparison):
        return tree if expresses(tree) else EVERY
    return joined(type(tree), (weaker(part, expresses) for part in tree.parts))
