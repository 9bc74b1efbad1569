"""Bounds for what oneDNN keeps: environment variables, read when torch is imported."""

# It keeps what it made for each shape that it met, up to 1,024 of them twice over, and the rows of
# each step have another one: in bfloat16 a job grew from 0.48 to 0.63 GiB in 15 steps. With these
# it stays at 0.49, and takes a tenth longer at most.
CACHES = {"LRU_CACHE_CAPACITY": "16", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
