"""Databases of vectors as a `VectorIndex`: each means the same as the embedded index.

place       where a database is, and what lets us in
database    `Database`: what a connector writes
slots       names and values that every database takes: fields, ids, texts, numbers
splitting   the part of a filter that a database evaluates exactly, or more than it
nearest     fetching until there are k exact hits, in the one order
calling     deadlines, and one kind of error
connected   `Connected`: the verbs of an index, on a `Database`

The others are connectors, a file each, on the database's own client.
"""
