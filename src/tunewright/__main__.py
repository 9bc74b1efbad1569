"""``python -m tunewright``: the same as the command `tunewright`."""

from tunewright.cli import main

if __name__ == "__main__":
    main()
