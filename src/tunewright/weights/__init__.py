"""Weights on disk and in memory: a base, the adapters beside it, and where they compute.

`base` loads a directory as a model, `lora` puts adapters on it. Both training and generation build
on these two files, so a model is loaded and adapted by the same code in both.
"""
