"""Codes in a terminal's window."""
