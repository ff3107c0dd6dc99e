"""Checks of what must always be true of a root."""
