"""The service: its contracts, and their implementations in this process and over HTTP."""
