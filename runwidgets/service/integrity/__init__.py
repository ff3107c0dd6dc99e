"""Checks of the invariants of a root."""
