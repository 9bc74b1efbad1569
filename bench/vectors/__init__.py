"""Vector indexes side by side: `python bench/vectors` (its `__main__.py` says how)."""
