"""What becomes of a table whose texts are embedded."""

from tunewright.records.record import Record


class TableProgress(Record):
    """So far. `share`: which part of the table is read, 0 to 1. `rows` were read: `embedded` have a
    vector, `left_out` have none. `computed`: texts whose vector was not one of an equal text;
    `tokens` are of these, and `unknown` of them the model cannot read; `chunked` of the texts are
    longer than it reads at once. `writing`: all is computed, and the output is written."""

    share: float = 0.0
    rows: int = 0
    embedded: int = 0
    left_out: int = 0
    computed: int = 0
    tokens: int = 0
    unknown: int = 0
    chunked: int = 0
    writing: bool = False


class EmbeddedTable(Record):
    """`left_out`: how many rows have no vector; each is in the file `left_out_file`, with its line
    and the reason (None: there are none). `before`: it was complete already, and nothing was done.
    The counts are those of `TableProgress`."""

    output: str
    model: str
    fingerprint: str
    dimensions: int
    rows: int
    embedded: int
    left_out: int
    computed: int
    tokens: int
    unknown: int
    chunked: int
    left_out_file: str | None = None
    before: bool = False
