"""Parameter spaces: the points of a sweep, and the distributions of their values."""
