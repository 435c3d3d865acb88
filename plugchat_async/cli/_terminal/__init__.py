"""How codes look in a window."""
