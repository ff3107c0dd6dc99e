"""The entry point of a runner: `python -m runwidgets.execution.runner <run folder> <copies> <lock>`."""

import sys

from runwidgets.execution.runner.slim_imports import slim_imports

with slim_imports():
    from runwidgets.execution.runner.runner import main

sys.exit(main(sys.argv[1:]))
