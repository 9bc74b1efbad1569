"""Bytes by name: the Blobs protocol (`blobs.blobs`) and its implementations."""
