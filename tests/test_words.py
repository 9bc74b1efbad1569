"""One vocabulary in messages, help, reports and documents: the field's own terms, plain English."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from servers import REPOSITORY
from tunewright.cli.commands import app

SOURCE = REPOSITORY / "src" / "tunewright"

# What must not be said, and what is said instead.
BANNED = {
    r"\btokens? to learn|\bof them to learn|\blearn(ed|t|able) tokens?": "supervised tokens",
    r"\brows? (of a step )?(all )?begins? with|\bbegins? alike|\b(shared|common) beginnings?":
    "(shared) prefix",
    r"\(1:? the same\)\s*$|\bnear \(|\bnearness": "similarity",
    r"\btwins?\b|\brepeats? an earlier": "duplicates",
    r"\btrains? of thought|\bremove the thought\b|\bit can think\b": "reasoning",
    r"\bdeltas?\b(?! (object|of a stream))|\bsmall matrices\b": "adapter",
    r"\bmini-?batch|\bheap of rows\b": "batch",
    r"\bsnapshots?\b|\bsave ?points?\b": "checkpoint",
    r"(?<!\bthere )\bis no (?!longer\b|more\b)": "is not a",
    r"\bdoes not suffice": "there is not enough",
    r"\botherwise than\b": "differently from",
    r"\bto the letter\b": "exactly",
    r"\bgive (it|the file) by hand\b": "give it yourself",
    r"\bshall\b": "should, must or will",
    r"\bat OpenAI's\b": "at OpenAI, or: as OpenAI does",
    r"(?-i:(?<=[a-z,] )(Told|Wish|Collected|Held|Kept)\b)": "no name of a class of ours",
    r"\ball the same\b": "anyway",
    r"\b1 (rows|texts|tokens|examples|epochs|lines|files|answers|errors)\b": "the singular",
    r"\bcancelation\b|\bcanceled\b": "cancelled",
}  # fmt: skip

# Patterns and lists of words by which rows of data are judged: nobody is told of them.
RULES = {
    *("quality/grounding.py", "quality/languages.py", "quality/promises.py"),
    *("quality/questions.py", "quality/refusals.py", "quality/speech.py"),
    *("quality/style.py", "quality/words.py"),
}

# Sentences of OpenAI's own, which clients match.
OPENAIS = ("You requested that the server return more choices",)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*path, name))


ALL = dict(commands(typer.main.get_command(app)))


def written(node: ast.AST) -> str | None:
    """The text of a literal; what is put in stands as ``{}``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return None


def literals(node: ast.AST, help_texts: bool) -> Iterator[tuple[int, str]]:
    """(line, text) of every literal that is a sentence or a part of one. A docstring is none,
    but for that of a command, which is its help."""
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    documents = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    docstring = first if documents and isinstance(first, ast.Expr) else None
    for child in ast.iter_child_nodes(node):
        if child is docstring and not (help_texts and isinstance(node, ast.FunctionDef)):
            continue
        text = written(child)
        if text is None:
            yield from literals(child, help_texts)
            continue
        if " " in text.strip():
            yield getattr(child, "lineno", 0), text
        if isinstance(child, ast.JoinedStr):
            for part in child.values:
                yield from literals(part, help_texts)


def sentences() -> Iterator[tuple[str, str]]:
    """(place, text) of what users may read."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name in RULES:
            continue
        for line, text in literals(ast.parse(path.read_text("utf-8")), name.startswith("cli/")):
            yield f"{name}:{line}", text
    for path in sorted(SOURCE.rglob("*.jinja")):
        if "builtin" not in path.parts:
            yield path.name, path.read_text("utf-8")


def documents() -> Iterator[Path]:
    """Without the log, which tells of words too that were given up."""
    yield from (path for path in (REPOSITORY / "docs").glob("*.md") if path.name != "log.md")
    yield from (
        REPOSITORY / name
        for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
    )


def wrong(text: str) -> list[str]:
    if text.startswith(OPENAIS):
        return []
    return [
        f"'{found[0]}': say {right}"
        for pattern, right in BANNED.items()
        if (found := re.search(pattern, text, re.IGNORECASE | re.MULTILINE))
    ]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("1,926 of them to learn", "supervised"),
        ("What the rows of a step begin with: computed once", "prefix"),
        ("0.39 near (1 the same)", "similarity"),
        ("Answers hold a train of thought", "reasoning"),
        ("ft:x is no tuned model of this home", "is not a"),
    ],
)
def test_what_strangers_stumbled_over_is_found(text: str, right: str) -> None:
    assert any(right in said for said in wrong(text))


def test_messages_say_it_in_the_words_of_the_field() -> None:
    found = list(sentences())
    assert len(found) > 1_500
    assert [(place, text, said) for place, text in found if (said := wrong(text))] == []


def own_words(text: str) -> str:
    """What a model answered stands between two marks, as it came; the lines keep their numbers."""
    models = re.compile(r"<!-- a model's answers -->.*?<!-- to here -->", re.DOTALL)
    return models.sub(lambda found: "\n" * found[0].count("\n"), text)


def test_documents_do_too() -> None:
    found = [
        (path.name, number, said)
        for path in documents()
        for number, line in enumerate(own_words(path.read_text("utf-8")).splitlines(), start=1)
        if (said := wrong(line))
    ]
    assert found == []


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_help_of_every_command_does_too(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        app([*path, "--help"])
    assert wrong(" ".join(capsys.readouterr().out.split())) == []
    for param in ALL[path].params:
        said = getattr(param, "help", None)
        assert said or param.name in ("install_completion", "show_completion"), param.name
        assert "[" not in (said or ""), f"{param.name}: rich takes [...] for markup and drops it"
