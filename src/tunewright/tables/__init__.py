"""Tables of any kind: their rows in, good ones and bad ones, and rows out."""
