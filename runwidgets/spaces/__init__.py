"""Parameter spaces: the points of a sweep, and what their values are drawn from."""
