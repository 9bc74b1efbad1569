"""The command line: one file a noun, each command a translation to one use case.

Start-up is kept quick: what is heavier than Typer is imported inside the commands.
"""

import io
import sys

from tunewright.errors import TunewrightError


def main() -> None:
    """Run the command line. An error that a user can meet is one line and exit status 1."""
    from tunewright.cli.commands import app

    for stream in (sys.stdout, sys.stderr):  # a terminal may have no letters for what is printed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except TunewrightError as error:
        sys.exit(_one_line(error.message, param=error.param, code=error.code))
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        sys.exit(_one_line(f"{named}{error.strerror or error}"))
    except UnicodeEncodeError as error:  # Python keeps what is no UTF-8 as halves of characters
        if "surrogates" not in error.reason:
            raise
        sys.exit(_one_line(f"{error.object!r} is not valid UTF-8."))


def _one_line(message: str, **details: str | None) -> str:
    known = ", ".join(f"{name}: {value}" for name, value in details.items() if value)
    from tunewright.cli.plain import plain

    return plain(" ".join(f"Error: {message}".split())) + (f" ({known})" if known else "")
