"""The use cases, one flat noun a file. All four faces call these; none of them knows HTTP."""
