"""A training file: read line by line, checked row by row, counted. Light: no torch."""
