"""Run directories, uploads and archives, in a folder or in an object store."""
