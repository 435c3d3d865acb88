"""A page for one browser on this machine, and the link that opens it once."""
