"""All judgements of a file of examples."""

from concurrent.futures import ThreadPoolExecutor

from tunewright.quality import agreement, balance, form, grounding, sameness, style
from tunewright.quality.rows import Rows
from tunewright.records.findings import Finding


def judge(rows: Rows, held_out: Rows | None = None) -> list[Finding]:
    """What weakens `rows` as training data, warnings first. `held_out`: the validation rows, or
    prompts as they come in use.

    Neighbours are searched beside the rules: numpy holds no lock of Python's."""
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(lambda: rows.questions)
        ruled = [*form.find(rows.rows), *style.find(rows.rows), *grounding.find(rows.rows)]
        asked.result()
    found = [
        *sameness.find(rows, held_out),
        *agreement.find(rows),
        *balance.find(rows, held_out),
        *ruled,
    ]
    return sorted(found, key=lambda finding: finding.severity == "advice")
