"""The services over the store and a backend, in this process."""
