"""A Jinja sandbox that ends: templates can neither run code nor use up time or memory.

Jinja's own sandbox stops code only. Two nested loops never end, a doubled string takes all memory,
and what a loop does may depend on the messages of a request. So everything that repeats, calls or
makes a value is counted here, before it is made where one operation could make much of little.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from jinja2 import TemplateError, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tunewright.rendering.beginnings import Watch, mark

STEPS = 400_000  # rounds of loops, calls, and values in lists; 2,000 messages take some 40,000
MADE = 256 * 2**20  # bytes of all texts that are made on the way
SECONDS = 2.0  # of the thread's own processor time: other load does not count
LONGEST_SOURCE = 2**20
_SELDOM = 16  # the clock costs as much as all else that is counted
_LARGE = 4096  # bytes: as long as some steps
_WIDEST = 10_000  # a number that says how wide or how many
_LARGEST = 4096  # bits of a number
_WIDE = {"center", "ljust", "rjust", "zfill", "expandtabs"}
_WIDE_FILTERS = {"center", "indent", "batch", "slice", "wordwrap", "tojson", "round", "truncate"}
_SLOW_FILTERS = {"urlize", "striptags", "wordwrap", "wordcount", "pprint", "xmlattr"}
_OF_DICTS = frozenset(dir(dict))
_WIDE_FORMAT = re.compile(r"%[^a-zA-Z%]*(?:\*|\d{5})|\{[^{}]*:[^{}]*(?:\{|\d{5})")


class Exhausted(TemplateError):
    """The template has used up what a rendering may take."""


class _Budget:
    def __init__(self) -> None:
        self.steps, self.made = STEPS, MADE
        self.until = time.thread_time() + SECONDS

    def spend(self, steps: int, made: int = 0) -> None:
        looks = made > _LARGE or not self.steps % _SELDOM
        self.steps -= steps
        self.made -= made
        if self.steps < 0:
            raise Exhausted(f"it takes more than {STEPS:,} steps")
        if self.made < 0:
            raise Exhausted(f"it makes more than {MADE // 2**20} MiB of text")
        if looks and time.thread_time() > self.until:
            raise Exhausted(f"it takes more than {SECONDS:g} seconds")


class Sandbox(ImmutableSandboxedEnvironment):
    """Rendering is counted within `limited`. Safe to share among threads."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def __init__(self, **options: Any) -> None:
        # Unoptimised: constants are made when the template runs, where they are counted.
        super().__init__(optimized=False, finalize=_shown, **options)
        self._local = threading.local()
        self.globals.pop("lipsum", None)
        for name, made in list(self.filters.items()):
            self.filters[name] = self._counted(name, made)

    @contextmanager
    def limited(self, watch: Watch | None = None) -> Iterator[None]:
        """Raises Exhausted as soon as what is rendered within takes too much. `watch` is told what
        the template's loop does."""
        self._local.budget, self._local.watch = _Budget(), watch
        try:
            yield
        finally:
            del self._local.budget, self._local.watch

    def add_filter(self, name: str, made: Callable[..., Any]) -> None:
        self.filters[name] = self._counted(name, made)

    def spend(self, steps: int, made: int = 0) -> None:
        self._local.budget.spend(steps, made)

    def counted(self, value: Any) -> Any:
        """`value`, paid for: a text by its bytes, a list or mapping with all that is in it, as
        often as it is in it: what prints or compares it goes through all of that."""
        if isinstance(value, str):
            self.spend(1, sys.getsizeof(value))
        elif isinstance(value, list | tuple | dict):
            waiting: list[Any] = [value]
            while waiting:
                one = waiting.pop()
                self.spend(1, sys.getsizeof(one) if isinstance(one, str) else 0)
                if isinstance(one, dict):
                    waiting += [*one.keys(), *one.values()]
                elif isinstance(one, list | tuple):
                    waiting += one
        return value

    def joined(self, *parts: Any) -> str:
        """What ``~`` makes."""
        return "".join(str(self.counted(part)) for part in parts)

    def noted(self, what: str, value: Any = None) -> Any:
        """`value`; whoever watches the rendering is told (`beginnings.mark`)."""
        if watch := self._local.watch:
            getattr(watch, what)()
        return value

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        if __obj == __self.spend:
            return __self.spend(*args)
        if __obj in (__self.joined, __self.counted, __self.noted):
            return __obj(*args)
        __self.spend(1)
        __self._foresee(__obj, args, kwargs)
        return __self.counted(super().call(__context, __obj, *args, **kwargs))

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj and attribute not in _OF_DICTS:
            return obj[attribute]  # as below, which first tries in vain, at some microseconds
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            self._foresee_repeating(left, right)
        elif operator == "%" and isinstance(left, str):
            _refuse_wide_format(left)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _refuse_large(left.bit_length() * abs(right))
        made = super().call_binop(context, operator, left, right)
        if isinstance(made, int):
            _refuse_large(made.bit_length())
        return self.counted(made)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        formatting = super().wrap_str_format(value)
        if formatting is None:
            return None

        def checked(*args: Any, **kwargs: Any) -> str:
            _refuse_wide_format(value.__self__)
            return formatting(*args, **kwargs)

        return checked

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > LONGEST_SOURCE:
            raise TemplateError(f"it is longer than {LONGEST_SOURCE:,} characters")
        template = super()._parse(source, name, filename)
        mark(template)
        _count(template)
        return template

    def _foresee_repeating(self, left: Any, right: Any) -> None:
        for value, times in ((left, right), (right, left)):
            if isinstance(value, str | list | tuple) and isinstance(times, int):
                self.spend(1, max(times, 0) * (sys.getsizeof(value) - sys.getsizeof(value[:0])))
        if isinstance(left, int) and isinstance(right, int):
            _refuse_large(left.bit_length() + right.bit_length())

    def _foresee(self, called: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Pay before for the methods of a text that make much of little."""
        text, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
        if not isinstance(text, str):
            return
        if name in _WIDE:
            _refuse_wide((*args, *kwargs.values()))
        elif name == "replace" and len(args) > 1:
            self._foresee_replacing(text, args[0], args[1])
        elif name == "join" and args and isinstance(parts := args[0], list | tuple):
            self.counted(parts)
            self.spend(1, len(text) * len(parts) * 4)
        elif name == "translate" and args:
            longest = max((len(v) for v in dict(args[0]).values() if isinstance(v, str)), default=1)
            self.spend(1, len(text) * longest * 4)

    def _foresee_replacing(self, text: Any, old: Any, new: Any) -> None:
        if isinstance(text, str) and isinstance(old, str) and isinstance(new, str):
            self.spend(1, text.count(old) * len(new) * 4)

    def _counted(self, name: str, made: Callable[..., Any]) -> Callable[..., Any]:
        """The filter, paid for."""

        @wraps(made)  # the marks for jinja2 as well: what is passed first
        def counted(*args: Any, **kwargs: Any) -> Any:
            given = args[1:] if hasattr(made, "jinja_pass_arg") else args
            given = self._foresee_filter(name, list(given), kwargs)
            return self.counted(made(*args[: len(args) - len(given)], *given, **kwargs))

        return counted

    def _foresee_filter(self, name: str, given: list[Any], kwargs: dict[str, Any]) -> list[Any]:
        value = given[0] if given else None
        if name in _WIDE_FILTERS:
            _refuse_wide((*given[1:], *kwargs.values()))
        if name in _SLOW_FILTERS and len(str(self.counted(value))) > _WIDEST:
            raise Exhausted(f"the filter {name} takes at most {_WIDEST:,} characters")
        if name == "format":
            _refuse_wide_format(str(value))
        elif name == "replace" and len(given) > 2:
            self._foresee_replacing(value, given[1], given[2])
        elif name in ("join", "sum") and value is not None and not isinstance(value, str):
            given[0] = self.counted(list(value))
            self.spend(1, len(given[0]) * len(str(given[1])) * 4 if len(given) > 1 else 0)
        elif name in ("tojson", "string"):
            self.counted(value)
        return given


@pass_context
def _shown(context: Context, value: Any) -> Any:
    sandbox = context.environment
    assert isinstance(sandbox, Sandbox)
    return sandbox.counted(value)


def _count(template: nodes.Template) -> None:
    """Have each round and each call of a macro counted, with the text that it writes, and each
    list and mapping that is written in the template."""
    for body in _bodies(template):
        written = sum(len(data.data) for node in body for data in _find(node, nodes.TemplateData))
        spend = nodes.EnvironmentAttribute("spend")
        cost: list[nodes.Expr] = [nodes.Const(1), nodes.Const(written * 4)]
        body.insert(0, nodes.ExprStmt(nodes.Call(spend, cost, [], None, None)))
    _replace(template)


def _bodies(template: nodes.Template) -> list[list[nodes.Node]]:
    kinds = (nodes.For, nodes.Macro, nodes.CallBlock)
    return [node.body for node in template.find_all(kinds)]


def _find(node: nodes.Node, kind: type[nodes.TemplateData]) -> Iterator[nodes.TemplateData]:
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)


def _replace(node: nodes.Node) -> None:
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, field, _paid(value))
        elif isinstance(value, list):
            setattr(node, field, [_paid(v) if isinstance(v, nodes.Node) else v for v in value])


def _paid(node: nodes.Node) -> nodes.Node:
    _replace(node)
    if isinstance(node, nodes.Concat):
        return _called("joined", node.nodes, node)
    literal = isinstance(node, nodes.List | nodes.Dict)
    literal = literal or (isinstance(node, nodes.Tuple) and node.ctx == "load")
    plain = all(isinstance(part, nodes.Const) for part in node.iter_child_nodes())
    return _called("counted", [node], node) if literal and not plain else node


def _called(name: str, args: Any, at: nodes.Node) -> nodes.Node:
    call = nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None)
    return call.set_lineno(at.lineno)


def _refuse_wide(values: tuple[Any, ...]) -> None:
    for value in values:
        if isinstance(value, int | float) and abs(value) > _WIDEST:
            raise Exhausted(f"it asks for a width of {value:,}")


def _refuse_wide_format(form: str) -> None:
    if _WIDE_FORMAT.search(form):
        raise Exhausted("it formats a text to a width that it computes, or one beyond 9,999")


def _refuse_large(bits: int) -> None:
    if bits > _LARGEST:
        raise Exhausted(f"it computes with numbers of more than {_LARGEST:,} bits")
