"""Settings of the documentation's site; `sphinx-build docs docs/_build` builds it."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from runwidgets import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
shutil.copytree(
    HERE.parent / "notebooks", HERE / "tutorial", dirs_exist_ok=True
)  # the quickstart and its files

project = "runwidgets"
author = "The runwidgets authors"
copyright = author
release = version = __version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "generators"]
exclude_patterns = [
    "_build",
    "howto/workspace.py",
    "tutorial/app.ipynb",
    "tutorial/voila.py",
    "**/.ipynb_checkpoints",
]

# Every reference within the package must lead somewhere. Names of other packages are text: the build
# fetches nothing from the network.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!runwidgets\b).*")]
suppress_warnings = ["mystnb.unknown_mime_type"]  # of views, which show themselves in a live notebook only

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
nb_execution_mode = os.environ.get("RUNWIDGETS_DOCS_EXECUTE", "cache")
nb_execution_excludepatterns = [
    "howto/report.ipynb",
    "howto/train.ipynb",
    "tutorial/templates/*",
    "tutorial/cluster.ipynb",
    "tutorial/sweeps.ipynb",
    "tutorial/widgets.ipynb",
]
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

default_role = "code"  # of single backquotes in docstrings
numpydoc_show_class_members = False
autodoc_typehints = "none"  # parameters say their types in words
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_title = "runwidgets"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "default",
    "pygments_dark_style": "github-dark",
}

# Runs of the executed pages are stored apart from those of whoever builds the site, and no server of theirs
# executes them.
_scratch = tempfile.mkdtemp(prefix="runwidgets-docs-")
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
os.environ["RUNWIDGETS_DOCS"] = _scratch
os.environ["JUPYTER_DATA_DIR"] = f"{_scratch}/data"
os.environ["JUPYTER_RUNTIME_DIR"] = f"{_scratch}/runtime"
for _name in ("RUNWIDGETS_URL", "RUNWIDGETS_TOKEN"):
    os.environ.pop(_name, None)
