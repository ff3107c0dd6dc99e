"""The language: what a notebook asks for, and what fits it."""
