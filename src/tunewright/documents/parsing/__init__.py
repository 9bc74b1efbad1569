"""What needs a parser is read in a process of its own, with limits on time, memory and output.

    python -m tunewright.documents.parsing KIND FILE NAME

writes to standard output a line of JSON, ``{"marks": [[at, page, heading], ...]}`` or ``{"message",
"code"}`` where the file is refused, and behind it the text. Standard input is held open by who
started it; when it closes, the process ends. One file a kind; each imports its parser on use.
"""
