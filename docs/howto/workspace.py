"""What the executed pages of this folder begin with: a folder of their own, which holds the template."""

import os
import shutil
import tempfile
from pathlib import Path

_folder = Path(tempfile.mkdtemp(dir=os.environ["RUNWIDGETS_DOCS"]))
for _name in ("train.ipynb", "report.ipynb"):
    shutil.copy(_name, _folder)
os.chdir(_folder)
