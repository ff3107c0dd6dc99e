"""The services over HTTP, for a program or kernel that talks to a server."""
