"""Chat templates, rendered to the letter as transformers renders them."""

import json
import re
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

from tunewright.errors import BadRequest
from tunewright.rendering.beginnings import Beginnings, Watch, Watched
from tunewright.rendering.sandbox import Sandbox

_LONGEST = 64 * 2**20  # characters; the sandbox does not stop a loop that only writes


class _Generation(Extension):
    """``{% generation %}`` marks the assistant's text for trainers; here it is passed through."""

    tags = {"generation"}  # noqa: RUF012 (so declared by jinja2)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


class _Clock:
    """``strftime_now`` of a template: `at` stays, where it is given."""

    def __init__(self, at: datetime | None) -> None:
        self._at = at

    def __call__(self, form: str) -> str:
        return (self._at or datetime.now()).strftime(form)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own tojson escapes HTML; every published template expects this one.
    text = json.dumps(
        value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys
    )
    return _NOT_ASCII.sub(_escaped, text) if ensure_ascii else text


# But for the characters that fence what must stay text (controls.py): an escaped fence is none.
_NOT_ASCII = re.compile("[\x80-\ufdcf\ufdf0-\uffff\U00010000-\U000effff]")


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _environment() -> Sandbox:
    env = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    env.add_filter("tojson", _tojson)
    return env


_FUNCTIONS = {"raise_exception": _raise_exception}


class ChatTemplate:
    """A model's own template, in a sandbox. It comes with the model, never from a request."""

    def __init__(self, source: str, **constants: Any) -> None:
        """`constants` are the variables that stay the same: ``bos_token``, ``enable_thinking``.

        Raises BadRequest where `source` is not a template.
        """
        self.source = source
        self._constants: Mapping[str, Any] = {"strftime_now": _Clock(None), **constants}
        try:
            self._sandbox = _environment()
            self._template = self._sandbox.from_string(source, globals=_FUNCTIONS)
        except TemplateError as error:
            raise BadRequest(f"The chat template is not valid: {error}", param="model") from error

    def using(self, variables: Mapping[str, Any], at: datetime | None = None) -> "ChatTemplate":
        """The same template with other values of some variables; `at`: the date that it writes,
        in place of today's."""
        made = copy(self)
        clock = {"strftime_now": _Clock(at)} if at else {}
        made._constants = {**self._constants, **variables, **clock}
        return made

    def render(
        self,
        turns: Sequence[Mapping[str, Any]],
        *,
        answer: bool,
        tools: Sequence[Mapping[str, Any]] = (),
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """The conversation as text; with `answer`, opened for the assistant to go on.

        `variables` go before the constants. Raises BadRequest with param ``messages`` and the
        template's own reason where it refuses them.
        """
        given = {**(variables or {}), "tools": list(tools) or None, "add_generation_prompt": answer}
        try:
            return self._render(turns, given)
        except Exception as error:  # a template can raise anything that Python can
            raise BadRequest(
                f"The model's chat template refuses these messages: {error}",
                param="messages",
                code="template_refused",
            ) from error

    def beginnings(
        self,
        turns: Sequence[Mapping[str, Any]],
        *,
        answer: bool,
        tools: Sequence[Mapping[str, Any]] = (),
        variables: Mapping[str, Any] | None = None,
    ) -> Beginnings | None:
        """What `render` gives for the first turns, as far as one rendering of all of them tells;
        None where it tells nothing."""
        given = {**(variables or {}), "tools": list(tools) or None, "add_generation_prompt": answer}
        watch = Watch(len(turns))
        try:
            text = self._render(Watched(turns, watch), given, watch)
        except Exception:  # it is no list; or what is refused is refused by `render`
            return None
        return watch.told(text)

    def _render(
        self,
        turns: Sequence[Mapping[str, Any]],
        given: Mapping[str, Any],
        watch: Watch | None = None,
    ) -> str:
        variables = {**self._constants, "documents": None, **given, "messages": turns}
        pieces: list[str] = []
        size = 0
        with self._sandbox.limited(watch):
            for piece in self._template.generate(variables):
                pieces.append(piece)
                size += len(piece)
                if watch:
                    watch.written = size
                if size > _LONGEST:
                    raise TemplateError("it writes more than 64 MiB")
        return "".join(pieces)
