"""The files of an instance, in a folder or in an object store."""
