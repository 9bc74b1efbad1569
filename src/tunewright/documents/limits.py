"""What a file may take that is read by a parser. Its text is bounded by `document.MOST_TEXT`."""

from tunewright.documents.document import MOST_TEXT

CPU_SECONDS = 60  # of one processor
WALL_SECONDS = 600  # on a machine that is busy with other things
MEMORY = 2**30  # bytes of data
OUTPUT = 6 * MOST_TEXT  # bytes: the text, at most four a character, and where headings are
PAGES = 5_000  # of a PDF
UNPACKED = 512 * 2**20  # bytes that an Office document may have without its compression,
UNPACKED_XML = 96 * 2**20  # and its XML, which takes up to eight times as much in memory
PARTS = 50_000  # files in one
