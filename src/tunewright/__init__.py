"""Tunewright: OpenAI's fine-tuning and embeddings API on your own machine."""

__version__ = "0.1.0"
