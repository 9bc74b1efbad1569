"""A model held against the one that it replaces: means and verdicts by hand."""

from dataclasses import replace

from tunewright.evaluation.comparison import Compared, distances, summary, worse

ROW = Compared(prompt="p", origin="training", seen=False, old_answer="kitten", answer="sitting")


def row(answer: str = "sitting", reference: str | None = "kitten", **more: object) -> Compared:
    found = distances(answer, ROW.old_answer, reference)
    return replace(ROW, answer=answer, reference=reference, **found, **more)  # pyright: ignore[reportArgumentType]


def test_means_are_of_the_rows_that_were_compared() -> None:
    refused = replace(ROW, answer=None, message="too long")
    rows = [row(logprob=-0.5, base_logprob=-1.0), row("kitten", None, logprob=-1.5), refused]
    said = summary(rows)
    assert (said["prompts"], said["same"], said["references"]) == (2, 1, 1)
    assert said["distance"] == 3 / 14
    assert (said["to_reference"], said["old_to_reference"]) == (3 / 7, 0)
    assert (said["logprob"], said["base_logprob"], said["own_logprob"]) == (-1, -1, None)


def test_references_that_were_trained_on_count_only_where_there_are_no_others() -> None:
    seen, unseen = row("kitten", seen=True), row()
    assert summary([seen, unseen])["to_reference"] == 3 / 7
    assert summary([seen])["to_reference"] == 0


def test_what_makes_it_worse_is_said() -> None:
    likelier = {"logprob": -0.5, "base_logprob": -1.0}
    assert worse([row("kitten", **likelier)] * 8) == []
    [farther] = worse([row(**likelier)] * 8)
    assert "0.43 against 0.00" in farther
    [no_nearer] = worse([row("kitten", logprob=-1.0, base_logprob=-1.0)])
    assert "more likely than its base" in no_nearer
    [left] = worse([row("kitten", **likelier), replace(ROW, answer=None, message="no")])
    assert left == "1 of 2 prompts could not be compared."
