"""The program of a runner: `python -m runwidgets.execution <run folder> <copies> <lock>`."""

import sys

from runwidgets.execution.lean import lean_imports

with lean_imports():
    from runwidgets.execution.runner import main

sys.exit(main(sys.argv[1:]))
