import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, say
from tunewright.suggestions import command

if TYPE_CHECKING:
    from tunewright.app import Tunewright


REMEDY = "For real work, add a base and let it answer to these names:"


def serve(
    home: HomeOption = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. Not given: 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="The port; 0 takes a free one. Not given: 8311.", min=0, max=65535),
    ] = None,
    allow_remote: Annotated[
        bool | None,
        typer.Option("--allow-remote", help="Allow an address that other machines can reach."),
    ] = None,
) -> None:
    """Run the server. The first start shows a key, only this once.

    Example: tunewright serve --port 8311
    """
    from tunewright.api.server import serve as run
    from tunewright.cli.opening import configured
    from tunewright.errors import BadRequest

    # Until the API takes over: a signal ends a start that is under way, as an exception, so that
    # what was started is stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    tw = configured(home, host=host, port=port, allow_remote=allow_remote)
    if tw.processes.others_running():  # said before the port is found taken by that very server
        raise BadRequest(
            f"Another server runs on {tw.home.root}. Stop it first, or choose another --home.",
            code="home_in_use",
        )
    run(tw, lambda url: welcome(tw, url))


def welcome(tw: "Tunewright", url: str) -> None:
    """What the operator reads when the server has started."""
    key = tw.access.first_key(tw.owner)
    say(f"Tunewright serves {url}   (home: {tw.home.root})")
    if key:
        say("\nYour API key is in the last line. It is shown only this once.")
        say(f"\n{copy_lines(url, key)}\n")
    else:
        say(f"\n{copy_lines(url)}\n")
        another = command("keys", "create", home=tw.home.root)
        say(f"Your key was shown at the first start. To create another one: {another}")
    say_what_answers(tw)
    say("Stop with Ctrl-C.")
    sys.stdout.flush()


def copy_lines(url: str, key: str | None = None) -> str:
    """What points existing code at this server. OPENAI_API_BASE is what openai 0.28 reads, and
    frameworks that began with it; the newer SDKs read OPENAI_BASE_URL."""
    lines = [f"  export OPENAI_BASE_URL={url}", f"  export OPENAI_API_BASE={url}"]
    return "\n".join([*lines, f"  export OPENAI_API_KEY={key}"] if key else lines)


def say_what_answers(tw: "Tunewright") -> None:
    """Which base each of OpenAI's names stands for, and which of them are only for trying."""
    from tunewright import builtin

    small = False
    for base, names in tw.models.standing().items():
        about = builtin.remark(base) if tw.models.base(base) else "which does not exist here"
        small = small or builtin.remark(base) is not None
        say(f"{', '.join(names)}: answered by {base}{f', {about}' if about else ''}.")
    if small:
        settings = tw.home.root / "settings.toml"
        say(REMEDY)
        say(f"  {command('models', 'add', 'NAME', home=tw.home.root)}")
        say(f"  (which there are: {command('models', 'search', home=tw.home.root)})")
        say(f'  and in {settings}, under [aliases]: "gpt-3.5-turbo*" = "NAME"')
