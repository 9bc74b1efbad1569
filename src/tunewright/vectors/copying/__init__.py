"""Collections copied from one place to another: indexes, databases, files.

copying      `copy`, the whole way
places       what a place is that is named, and which class opens it
ends         what a source and a destination are; those that are an index
table        a file with vectors, in
parquet      a Parquet file, out
foreign      collections that other programs have made: Chroma, Qdrant, PostgreSQL
positions    how far a copy has come, kept so that a killed one goes on
digests      sums by which what was written is compared with what was read
verifying    the end of it
"""

from tunewright.vectors.copying.copying import Copied, copy
from tunewright.vectors.copying.ends import Destination, OfIndex, Source

__all__ = ["Copied", "Destination", "OfIndex", "Source", "copy"]
