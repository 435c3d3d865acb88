"""Output: standard error, JSON, files, failures."""
