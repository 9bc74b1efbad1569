"""What is chosen by name: ours by dotted path, other packages' by entry point; imported on use.

A package of somebody else adds an embedding engine, say, by three lines of its pyproject.toml:

    [project.entry-points."tunewright.embedders"]
    byte-grams = "byte_grams:ByteGrams"

Nothing is looked for before a name is asked for, and only what was asked for is imported: the API
process may not load torch, and one package that is broken harms nobody else.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from typing import Any

from tunewright.errors import BadRequest, BrokenPackage, MissingExtra, TunewrightError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registry:
    """`what`: as messages call one of it. `group`: of the entry points. `own`: ``module:attribute``
    by name. `needs`: where a library of ours is absent, what cannot be done and the extra that
    brings it; `extras`: the same of one name. `protocol`: what an instance must have.

    Our names come first: what another package offers under one of them is not used, and the log
    says so. A name that two packages offer is refused.
    """

    what: str
    group: str
    own: Mapping[str, str]
    needs: tuple[str, str] | None = None
    protocol: type = object
    extras: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Ours, then those of other packages."""
        return [*self.own, *sorted({offer.name for offer in self._offers()} - {*self.own})]

    def load(self, name: str, beside: str = "") -> Any:
        """What is called `name`, or what its module calls `beside`.

        Raises BadRequest for a name that nobody has; BrokenPackage where two packages have it, or
        where it cannot be imported; MissingExtra where a library of ours is absent.
        """
        if name in self.own:
            self._tell_of_shadows(name)
            return self._own(name, beside)
        return self._import(self._one(name), beside)

    def make(self, name: str, *given: object) -> Any:
        """An instance of what is called `name`. Raises as `load` and as its own maker does;
        BrokenPackage where that raises what is no TunewrightError, or lacks a part of the
        protocol."""
        maker = self.load(name)
        if name in self.own:
            with self._libraries(name):  # a maker may import its library itself
                return maker(*given)
        try:
            made = maker(*given)
        except TunewrightError:
            raise
        except Exception as error:
            raise self._broken(self._one(name), "failed", error) from error
        parts = [part for part in vars(self.protocol) if not part.startswith("_")]
        if lacking := [part for part in parts if not hasattr(made, part)]:
            raise self._broken(self._one(name), f"lacks {', '.join(lacking)}")
        return made

    def _own(self, name: str, beside: str) -> Any:
        module, _, attribute = self.own[name].partition(":")
        with self._libraries(name):
            return getattr(import_module(module), beside or attribute)

    @contextmanager
    def _libraries(self, name: str) -> Iterator[None]:
        """Raises MissingExtra where a library of ours is absent."""
        extra = self.extras.get(name)
        needs = (f"The {self.what} '{name}'", extra) if extra else self.needs
        try:
            yield
        except ImportError as error:
            # A fault of ours, which no extra mends.
            if needs is None or (error.name or "").startswith("tunewright"):
                raise
            doing, extra = needs
            raise MissingExtra(f"{doing} ({error.name} is not installed)", extra) from error

    def _import(self, offer: EntryPoint, beside: str) -> Any:
        try:
            return getattr(import_module(offer.module), beside or offer.attr)
        except (Exception, SystemExit) as error:  # somebody else's code: whatever it does
            raise self._broken(offer, "cannot be loaded", error) from error

    def _one(self, name: str) -> EntryPoint:
        offers = self._offers(name)
        if not offers:
            raise BadRequest(
                f"There is no {self.what} '{name}'. Known: {', '.join(self.names())}. If a package "
                "brings it, install that one and start the server again."
            )
        if len(offers) > 1:
            packages = " and ".join(map(_package, offers))
            raise BrokenPackage(
                f"The {self.what} '{name}' is offered by {packages}, so it is not clear which is "
                "meant. Uninstall all but one of them and start the server again."
            )
        return offers[0]

    def _offers(self, name: str | None = None) -> list[EntryPoint]:
        """One a package: a package that lies on the path twice is what Python finds first."""
        found: dict[str, EntryPoint] = {}
        for offer in _entry_points(self.group):
            if name in (None, offer.name):
                found.setdefault(f"{offer.dist.name if offer.dist else ''} {offer.name}", offer)
        return list(found.values())

    def _tell_of_shadows(self, name: str) -> None:
        for offer in self._offers(name):
            log.warning(
                "%s offers a %s '%s', which is the name of tunewright's own. Tunewright's is used; "
                "use another name in that package, or uninstall it.",
                *(_package(offer), self.what, name),
            )

    def _broken(
        self, offer: EntryPoint, how: str, error: BaseException | None = None
    ) -> BrokenPackage:
        reason = f": {type(error).__name__}: {error}" if error else ""
        return BrokenPackage(
            f"The {self.what} '{offer.name}' of {_package(offer)} ({offer.value}) {how}{reason}. "
            "Install what it needs, or another version of it, and start the server again."
        )


def _entry_points(group: str) -> Iterator[EntryPoint]:
    """As `importlib.metadata.entry_points`, but a package whose metadata cannot be read is left
    out, and not the end of the search."""
    for package in distributions():
        try:
            yield from package.entry_points.select(group=group)
        except Exception as error:
            log.warning("the entry points of a package cannot be read: %s: %r", package, error)


def _package(offer: EntryPoint) -> str:
    package = offer.dist
    return f"{package.name} {package.version}" if package else "an unnamed package"
