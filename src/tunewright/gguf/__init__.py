"""GGUF, the file format of llama.cpp: read as a base, written as an export.

A file from anywhere is read here without torch: `reading` checks the container, `dequantise` turns
blocks of bits into numbers, `tensors` and `config` name things as transformers does, `tokenizer`
builds tokenizer.json, and `convert` puts a whole directory together.
"""
