"""The program of a runner: `python -m runwidgets.execution <run folder> <copies> <lock>`."""

import sys

# jsonschema, which nbformat imports, compiles a grammar of IRIs when rfc3987-syntax is installed: 1.1 s
# of the 1.6 s that a runner's imports took (rfc3987-syntax 1.1.0). No notebook is checked for IRIs. Can
# go when jsonschema imports it only where it is needed.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from runwidgets.execution.runner import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
