"""What the rows of a file come to: what concerns all of it, and whether a job may go on."""

from collections.abc import Iterator

from tunewright.dataset.examples import FORMS
from tunewright.dataset.tally import OF_THE_FILE, Tally
from tunewright.errors import JobFailed
from tunewright.records.findings import Finding
from tunewright.wording import counted

FEWEST = {"training_file": 10, "validation_file": 1}
FEW = 50
_NAMED_KINDS = 5


def errors(check: Tally) -> Iterator[Finding]:
    """The errors of the file as a whole; its rows' own are not among them."""
    if "wrong_format" in check.counts:
        return
    count, fewest = check.examples + check.bad, FEWEST[check.param]
    if count < fewest:
        yield Finding(
            code="invalid_n_examples",
            severity="error",
            message=f"{subject(check)} has {counted(count, 'example')}, but must have at least "
            + f"{counted(fewest, 'example')}.",
            remedy="Add examples: 50 to 100 good ones show whether tuning helps.",
        )
    if len(check.forms) > 1:
        yield Finding(
            code="mixed_formats",
            severity="error",
            message=f"The file mixes {_mixture(check)}.",
            remedy="Write all rows in the form that the model takes.",
            count=check.forms.total() - max(check.forms.values()),
        )
    for fault, noticed in check.layouts.items():
        yield Finding(
            code=fault.code,
            severity="error",
            message=_of_all(fault.message, noticed.count),
            remedy=check.said(fault.remedy),
            lines=tuple(noticed.lines),
            count=noticed.count,
        )
    if check.example_tokens and not check.supervised_tokens:
        yield Finding(
            code="no_supervised_tokens",
            severity="error",
            message=f"{subject(check)} has no answer to train on.",
            remedy="Give the answers to train on the weight 1, or no weight.",
        )


def _of_all(message: str, count: int) -> str:
    """What is wrong with one row, said of `count`."""
    return message if count == 1 else message.replace("The row is", f"{count:,} rows are", 1)


def advice(check: Tally) -> Iterator[Finding]:
    count = check.examples + check.bad
    if check.param == "training_file" and FEWEST[check.param] <= count < FEW:
        yield Finding(
            code="few_examples",
            severity="advice",
            message=f"The file has {counted(count, 'example')}; the effect of tuning usually shows "
            + f"from {FEW} to 100 examples on.",
            remedy="Add good examples, or look at the answers before you trust them.",
        )


def failure(check: Tally) -> JobFailed | None:
    """Why a job with this file must fail, in OpenAI's codes; None where it can go on."""
    whole = {finding.code: finding for finding in errors(check)}
    if "invalid_n_examples" in whole:
        count, fewest = check.examples + check.bad, FEWEST[check.param]
        what = f"{subject(check)} has {count} example(s), but must have at least {fewest} examples"
        return _failed(check, what, "invalid_n_examples")  # OpenAI's words, letter by letter
    if check.counts.total():
        return _failed(check, _bad_rows(check), "invalid_file_format")
    for finding in whole.values():
        return _failed(check, str(finding), "invalid_file_format")
    return None


def subject(check: Tally) -> str:
    return check.param.replace("_", " ").capitalize()


def _failed(check: Tally, message: str, code: str) -> JobFailed:
    return JobFailed(message, code=code, param=check.param)


def _mixture(check: Tally) -> str:
    kinds = [f"{n:,} {FORMS[form]}" for form, n in check.forms.most_common()]
    return f"{', '.join(kinds[:-1])} and {kinds[-1]} rows"


def _bad_rows(check: Tally) -> str:
    if not check.bad:  # no row of it is at fault, such as its format
        return f"{subject(check)}: {_reasons(check)}"
    count = check.examples + check.bad
    said = f"{subject(check)} has {counted(check.bad, 'bad row')} of {count:,}. {_reasons(check)}"
    if check.counts["too_long"] > 1:
        said += f" Cuts would lose {check.lost_tokens:,} supervised tokens in all."
    return said


def _reasons(check: Tally) -> str:
    """The first problem of each kind, and how many more there are of it."""
    first: dict[str, Finding] = {}
    for problem in check.problems:
        first.setdefault(problem.code, problem)
    whole = [str(finding) for finding in errors(check) if finding.code in OF_THE_FILE]
    said = [_reason(check, problem) for problem in first.values()]
    return " ".join([*whole, *said][:_NAMED_KINDS])


def _reason(check: Tally, problem: Finding) -> str:
    said = str(problem)
    more = check.counts[problem.code] - 1
    others = f" ({more:,} more of this kind.)" if more else ""
    return f"{said[0].upper()}{said[1:]}{others}"
