"""The command `jupyter runwidgets`, one module per verb."""
