"""One rendering of a conversation that tells those of its beginnings, where the template allows.

A conversation of a thousand answers has a thousand prompts, each a beginning of it, and rendering
each takes time that grows with their square. Most templates go through the messages once and write
each as it comes. So the messages are watched while all of them are rendered: what was written
before the loop asked for turn 7 is, to the letter, what the first seven turns alone give, provided
that nothing had looked at turn 7 before, nor asked how many there are. What follows the loop is the
same for each beginning where it reads nothing that the template has set.

Templates that look ahead (Qwen3 searches the last question first) tell nothing here: their
beginnings are rendered one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from jinja2 import nodes

_AHEAD = {"last", "nextitem", "length", "revindex", "revindex0"}  # of `loop`: they look ahead
_KNOWN = {*_AHEAD, "index", "index0", "first", "previtem", "depth", "depth0"}


@dataclass(frozen=True)
class Beginnings:
    """`text`: the rendering of all; `ends`: by the number of turns, how much of it those alone
    give, None where that is not known; `tail`: what follows the turns."""

    text: str
    ends: Sequence[int | None]
    tail: str

    def first(self, count: int) -> str | None:
        """The rendering of the first `count` turns."""
        end = self.ends[count] if 0 < count < len(self.ends) else None
        return None if end is None else self.text[:end] + self.tail


class Watch:
    """What a rendering has looked at so far, and how much it had written then."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.written = 0  # characters
        self._seen = 0  # so many turns, and whether there are so many, have been looked at
        self._ends: list[int | None] = [None] * (size + 1)
        self._in_loop = self._has_loop = False
        self._rounds = 0
        self._ahead: int | None = None  # the round that looked ahead
        self._tail: int | None = None
        self._is_known = True

    def told(self, text: str) -> Beginnings | None:
        if self._tail is None or not self._is_known or not any(self._ends):
            return None
        return Beginnings(text, self._ends, text[self._tail :])

    def loop_begins(self) -> None:
        self._in_loop = True

    def loop_ends(self) -> None:
        self._in_loop, self._tail = False, self.written

    def round_begins(self) -> None:
        self._rounds += 1

    def looks_ahead(self) -> None:
        """The turn at hand may be written otherwise where it is the last."""
        self._ahead = self._rounds

    def look(self, index: int) -> None:
        """Turn `index`, from 0, is looked at: whether there is one, and at it."""
        self._is_known = self._is_known and self._tail is None
        self._seen = max(self._seen, index + 1)

    def look_at_all(self) -> None:
        self.look(self.size)

    def begins_loop(self) -> bool:
        """Whether an iteration that begins now is the one of the loop that writes the turns."""
        if self._in_loop and not self._has_loop and not self._rounds:
            self._has_loop = True
            return True
        return False

    def step(self, index: int, rounds: int) -> None:
        """The loop asks for its next turn, after so many `rounds`."""
        if index == self._seen and rounds == self._rounds != self._ahead:
            self._ends[index] = self.written
        self.look(index)


class Watched(Sequence[Any]):
    """Turns from `start` on. What lists can do and this cannot raises, which ends the watching."""

    def __init__(self, turns: Sequence[Any], watch: Watch, start: int = 0) -> None:
        self._turns, self._watch, self._start = turns, watch, start

    def __len__(self) -> int:
        self._watch.look_at_all()
        return max(0, len(self._turns) - self._start)

    def __bool__(self) -> bool:
        self._watch.look(self._start)
        return self._start < len(self._turns)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(index)
        at = self._start + index
        if index >= 0 and at < len(self._turns):
            self._watch.look(at)
            return self._turns[at]
        at = len(self) + index  # counted from the end
        if index >= 0 or at < 0:
            raise IndexError(index)
        return self._turns[self._start + at]

    def _slice(self, part: slice) -> Sequence[Any]:
        start, stop = part.start or 0, part.stop
        if start >= 0 and stop is None and part.step in (None, 1):
            return Watched(self._turns, self._watch, self._start + start)
        left = len(self._turns) - self._start
        if start < 0 or stop is None or not 0 < stop <= left:
            self._watch.look_at_all()
        else:
            self._watch.look(self._start + stop - 1)
        return self._turns[self._start :][part]

    def __iter__(self) -> Iterator[Any]:
        is_loop = self._watch.begins_loop()
        for rounds, index in enumerate(range(self._start, self._watch.size + 1)):
            if is_loop:
                self._watch.step(index, rounds)
            else:
                self._watch.look(index)
            if index < self._watch.size:
                yield self._turns[index]

    def __eq__(self, other: object) -> bool:
        raise TypeError

    def __str__(self) -> str:
        raise TypeError

    __repr__ = __str__


def mark(template: nodes.Template) -> None:
    """Have the loop that writes the turns, where there is one that can be watched, tell the
    sandbox what it does: ``noted(...)``."""
    for at in reversed(range(len(template.body))):
        loop = template.body[at]
        if isinstance(loop, nodes.For):
            if _is_fixed(template.body[at + 1 :], template) and _can_be_watched(loop):
                _mark(template.body, at, loop)
            return


def _is_fixed(tail: list[nodes.Node], template: nodes.Template) -> bool:
    """Whether what follows the loop reads nothing that the template has set."""
    stored = {name.name for name in template.find_all(nodes.Name) if name.ctx != "load"}
    stored |= {ref.name for ref in template.find_all(nodes.NSRef)}
    stored |= {macro.name for macro in template.find_all(nodes.Macro)}
    read = {name.name for node in tail for name in _all(node, nodes.Name)}
    return read.isdisjoint({*stored, "messages", "loop", "self", "caller", "varargs", "kwargs"})


def _can_be_watched(loop: nodes.For) -> bool:
    if loop.recursive or loop.else_:
        return False
    inside = list(_inside(loop))
    named = [node for node in inside if isinstance(node, nodes.Name) and node.name == "loop"]
    return len(named) == len(_of_loop(inside))


def _inside(node: nodes.Node) -> Iterator[nodes.Node]:
    """All nodes in a loop for which ``loop`` is this one."""
    for _, value in node.iter_fields():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, nodes.For):  # it has a `loop` of its own
                yield from [child.iter, *_inside(child.iter)]
            elif isinstance(child, nodes.Node):
                yield from [child, *_inside(child)]


def _of_loop(inside: Sequence[nodes.Node]) -> list[nodes.Getattr]:
    """The attributes of ``loop`` that are read by their names."""
    read = [node for node in inside if isinstance(node, nodes.Getattr) and node.attr in _KNOWN]
    return [node for node in read if isinstance(node.node, nodes.Name) and node.node.name == "loop"]


def _mark(body: list[nodes.Node], at: int, loop: nodes.For) -> None:
    for read in _of_loop(list(_inside(loop))):
        if read.attr in _AHEAD:  # `loop` itself goes through the sandbox, which takes note
            read.node = _noted("looks_ahead", read.node)
    loop.body.insert(0, nodes.ExprStmt(_noted("round_begins")))
    before, after = (nodes.ExprStmt(_noted(what)) for what in ("loop_begins", "loop_ends"))
    body[at : at + 1] = [before, loop, after]


def _noted(what: str, *values: nodes.Expr) -> nodes.Call:
    noted = nodes.EnvironmentAttribute("noted")
    return nodes.Call(noted, [nodes.Const(what), *values], [], None, None)


def _all(node: nodes.Node, kind: type[nodes.Name]) -> Iterator[nodes.Name]:
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)
