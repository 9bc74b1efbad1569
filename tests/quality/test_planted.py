"""Each kind of defect, planted in clean files: what is found, and what is named wrongly.

The bars are for the half whose texts were written before the rules. `docs/quality.md` has the
figures of its first sight.
"""

import pytest

from quality import held_out, written
from quality.kit import Kit
from quality.measuring import measure
from quality.planted import PLANTS


@pytest.mark.parametrize("kit", [written.KIT, held_out.KIT], ids=["written", "held-out"])
def test_what_is_planted_is_found_and_little_else_is_named(kit: Kit) -> None:
    scores = measure(kit, seeds=[7])
    assert PLANTS.keys() <= scores.keys()
    for code, score in scores.items():
        assert score.recall >= 0.95, (code, score.wrong)
        assert score.precision >= 0.9, (code, score.wrong)


@pytest.mark.slow
def test_on_twenty_seeds() -> None:
    for code, score in measure(held_out.KIT, seeds=range(20)).items():
        assert score.recall >= 0.95, (code, score.wrong)
        assert score.precision >= 0.9, (code, score.wrong)
