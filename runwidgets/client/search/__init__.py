"""A search as `runwidgets.optimize` runs it: what is searched for, where, and which point comes next."""
