from typing import ClassVar

from tunewright.records.record import Record


class Removal(Record):
    """Published directories whose record is deleted, while they wait to be removed. Internal.

    `name`: what the model was called, with which somebody may still be answered. `job`: the one
    whose model this was, where what its folder holds besides its log goes as well.
    """

    table: ClassVar = "removals"
    searched: ClassVar = ("directory", "base_directory")
    goes_wholly: ClassVar = True

    id: str
    name: str
    directory: str | None = None
    base_directory: str | None = None
    job: str | None = None
