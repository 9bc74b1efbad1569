"""Text out of files of many kinds, and its chunks. Importing this package imports no parser."""
