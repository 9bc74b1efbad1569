"""Embedding models by torch: for the engine process, and for whoever converts one."""
