"""The services over HTTP, for programs and kernels that talk to a server."""
