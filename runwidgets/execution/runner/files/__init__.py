"""The files of a run: its inputs, what it writes, and which of them are results."""
