"""Weights on disk and in memory: a base, the adapters beside it, and where they compute.

`base` loads a directory as a model, `lora` puts adapters on it, `peft` reads and writes them. Both
training and generation build on these files, so a model is loaded and adapted by the same code in
both.
"""
