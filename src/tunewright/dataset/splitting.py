"""Which rows are held out: a seeded draw, in proportion within each stratum."""

import random
from collections.abc import Sequence


def held_out(
    strata: Sequence[str], groups: Sequence[int], share: float, seed: int
) -> tuple[list[bool], list[str]]:
    """Whether each row is held out, and the strata that have none held out.

    Rows of one group stay together, so that what was asked in training is not asked again in
    validation. A group counts to the stratum of its first row. Within a stratum the draw is
    uniform over groups; a group that is larger than what is still wanted is passed over.
    """
    sizes: dict[int, int] = {}
    members: dict[str, list[int]] = {}
    for stratum, group in zip(strata, groups, strict=True):
        if group not in sizes:
            members.setdefault(stratum, []).append(group)
        sizes[group] = sizes.get(group, 0) + 1
    rng, chosen, without = random.Random(seed), set[int](), list[str]()
    rows = {name: sum(sizes[group] for group in inside) for name, inside in members.items()}
    wanted = _seats(rows, share)
    for name, inside in members.items():
        drawn = _draw(rng.sample(inside, len(inside)), sizes, wanted[name])
        chosen |= drawn
        if not drawn:
            without.append(name)
    return [group in chosen for group in groups], without


def _draw(order: list[int], sizes: dict[int, int], wanted: int) -> set[int]:
    drawn = set[int]()
    for group in order:
        if sizes[group] <= wanted:
            drawn.add(group)
            wanted -= sizes[group]
    return drawn


def _seats(sizes: dict[str, int], share: float) -> dict[str, int]:
    """Largest remainders: the sum is the share of all rows to one row, however small the strata."""
    seats = {name: int(size * share) for name, size in sizes.items()}
    left = round(sum(sizes.values()) * share) - sum(seats.values())
    by_rest = sorted(sizes, key=lambda name: seats[name] - sizes[name] * share)
    for name in by_rest[:left]:
        seats[name] += 1
    return seats
