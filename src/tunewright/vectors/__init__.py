"""Vectors by id, nearest to a vector. Importing this package imports no index."""
