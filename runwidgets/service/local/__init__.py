"""The services in this process, on the store and a backend."""
