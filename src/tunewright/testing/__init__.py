"""Tests of a protocol, to be run on somebody else's implementation of it."""
