"""The engine process (`python -m tunewright.serving`) and its light client."""
