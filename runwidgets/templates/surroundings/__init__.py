"""The files around a notebook that it uses: in its own folder, and in its project."""
