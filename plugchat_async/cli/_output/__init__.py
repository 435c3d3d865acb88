"""What goes where: standard error, events, files, exit codes."""
