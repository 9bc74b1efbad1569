"""One script from ES modules: a page of one file has nowhere to import from."""

import re
from collections.abc import Iterator
from importlib.resources import files

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?P<name>[\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async function|function|class|const)", re.MULTILINE)


def joined(module: str) -> str:
    """The module and all that it imports, each once, before what imports it. They share one scope,
    so a name at the top level of one may not be that of another (a test looks)."""
    return "\n".join(
        _EXPORT.sub("", _IMPORT.sub("", text)) for text in dict(_modules(module)).values()
    )


def _modules(module: str) -> Iterator[tuple[str, str]]:
    text = files("tunewright.pages.scripts").joinpath(module).read_text("utf-8")
    for found in _IMPORT.finditer(text):
        yield from _modules(found["name"])
    yield module, text
