"""The kernel of a run: over ZeroMQ sockets, or in a forked child of its runner."""
