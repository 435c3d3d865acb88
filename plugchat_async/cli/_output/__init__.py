"""Output: standard error, events, files, failures."""
