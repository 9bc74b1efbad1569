"""Texts of five topics, 40 each, mixed: what a search for clusters must find again.

Written for these tests. Of each topic there are ten sentences about different sides of it, which
share few words; a text is two of them with something in between that belongs to no topic.
"""

from dataclasses import dataclass

import numpy as np

ROWS_EACH = 40


@dataclass(frozen=True)
class Topic:
    """`named`, `words`: those by which a person would name it."""

    named: str
    sentences: tuple[str, ...]

    @property
    def words(self) -> set[str]:
        return set(self.named.split())


TOPICS = (
    Topic(
        "bicycle bike bikes wheel chain brake brakes gear gears tyre tyres",
        (
            "The chain of my bicycle slips whenever I change to the smallest gear.",
            "After the ride the front brake squeals, though the pads are new.",
            "How tight should the spokes be before the wheel is trued?",
            "A puncture again: the tyre had a thorn in it, and the tube was old.",
            "I greased the bearings of the hub and put the wheel back.",
            "The saddle of this bike is too low for somebody with long legs.",
            "Gears that were adjusted in the workshop jump out of place on hills.",
            "With wider tyres the bicycle rolls better over gravel and roots.",
            "Cables of both brakes were rusty, so the mechanic replaced them.",
            "The bike shop measured the chain and said that it is worn out.",
        ),
    ),
    Topic(
        "bread dough flour oven yeast loaf loaves sourdough baking",
        (
            "The dough did not rise, because the yeast was from last year.",
            "Knead the flour with warm water until it no longer sticks.",
            "My sourdough loaf has a dense crumb and a pale crust.",
            "How long must the bread cool before it is sliced?",
            "A tray of steam in the oven makes the crust shine and crack.",
            "Rye flour takes more water than wheat, so the dough is wetter.",
            "I fold the dough every half an hour instead of kneading it.",
            "The loaf stuck to the basket, which I had not dusted with flour.",
            "For baking rolls the oven has to be as hot as it gets.",
            "Stale bread turns into good crumbs for the next loaf.",
        ),
    ),
    Topic(
        "telescope star stars planet planets moon sky comet galaxy mirror eyepiece",
        (
            "Through the telescope Saturn looked like a small ear with rings.",
            "The sky over the village is dark enough for the galaxy in Andromeda.",
            "Which eyepiece shows the craters of the moon without blurring?",
            "A comet stood low above the horizon before sunrise.",
            "Stars near the edge of the picture look like little seagulls.",
            "The mirror of the telescope has to cool down before one observes.",
            "Two planets came so close that one could cover both with a thumb.",
            "Clouds hid the eclipse, and only the last minutes of the moon's shadow were seen.",
            "My mount follows the stars for an hour without drifting.",
            "Jupiter had four bright moons beside it, all in one line in the night sky.",
        ),
    ),
    Topic(
        "tax taxes invoice invoices income refund receipts deduction accountant",
        (
            "The tax office wants the receipts of the last three years.",
            "Is the desk in my flat a deduction, if I work at home twice a week?",
            "My accountant filed the return late, and there was a fine.",
            "An invoice without a number cannot be booked as an expense.",
            "Income from renting a room has to be declared as well.",
            "The refund came six weeks after the form was sent.",
            "Which taxes does a small business pay in its first year?",
            "I had mixed private and business invoices in one folder.",
            "The income of both partners is added and taxed together.",
            "Without receipts the tax inspector did not believe the travel costs.",
        ),
    ),
    Topic(
        "tomatoes seeds soil garden plants compost roses roots leaves seedlings",
        (
            "The leaves of the tomatoes curl and turn yellow from below.",
            "I sow the seeds indoors in March and plant them out in May.",
            "Slugs ate every seedling in the garden within one night.",
            "How deep must the roots of roses go into the soil?",
            "The compost smells, because there is too much cut grass in it.",
            "A layer of straw keeps the soil moist and the weeds down.",
            "Beans and tomatoes like each other, so I plant them in one bed.",
            "Prune the roses in spring, just above a bud that looks outward.",
            "The seedlings grew long and thin for want of light.",
            "Rain washed the seeds out of the beds at the end of the garden.",
        ),
    ),
)

_BETWEEN = (
    "",
    "I do not know what to make of it.",
    "My neighbour says the same.",
    "It was like that last week too.",
    "Perhaps somebody here can help.",
    "Thank you in advance for any answer.",
    "We tried it again yesterday.",
    "That was a surprise to all of us.",
    "It took the whole afternoon.",
)


def planted(seed: int = 0) -> tuple[list[str], list[int]]:
    """200 different texts, mixed, and the topic of each."""
    random = np.random.default_rng(seed)
    texts: dict[str, int] = {}
    for number, topic in enumerate(TOPICS):
        while sum(of == number for of in texts.values()) < ROWS_EACH:
            one, other = random.choice(len(topic.sentences), 2, replace=False)
            between = _BETWEEN[random.integers(len(_BETWEEN))]
            parts = (topic.sentences[one], between, topic.sentences[other])
            texts[" ".join(part for part in parts if part)] = number
    mixed = random.permutation(len(texts))
    rows = [*texts.items()]
    return [rows[at][0] for at in mixed], [rows[at][1] for at in mixed]
