"""The services: their contracts, and the implementations in this process and over HTTP."""
