"""Output: standard error, events, files, exit codes."""
