"""One name for one thing in every command; the names of earlier releases still work, unseen."""

import copy
from typing import Any

import typer
from typer.core import TyperCommand

EARLIER = {"--output": "--out", "--model": "--base", "--validation-file": "--validation"}


class _Command(TyperCommand):
    """Takes the earlier name of an option for the option, without showing it in the help."""

    def make_parser(self, ctx: Any) -> Any:
        parser = super().make_parser(ctx)
        known = {name for param in self.params for name in param.opts}
        for param in self.params:
            names = [EARLIER[name] for name in param.opts if name in EARLIER]
            for name in set(names) - known:
                alias = copy.copy(param)
                alias.opts, alias.secondary_opts = [name], []
                alias.add_to_parser(parser, ctx)
        return parser


def accept_earlier_names(app: typer.Typer) -> None:
    """For all commands of `app` and of the groups in it."""
    for command in app.registered_commands:
        command.cls = _Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            accept_earlier_names(group.typer_instance)
